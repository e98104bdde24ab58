package mailer

import "strings"

// MarkHeaders are the header fields by which a provider of mail hands our mark back in its notifications, since it writes Message-ID
// and envelope sender anew: the host is that of the SMTP server, the Message-ID that of a delivery ("d.MARK@example.org"). For a
// server of one's own there are none.
func MarkHeaders(host, messageID string) []Header {
	mark, is := strings.CutPrefix(messageID, "d.")
	mark, _, _ = strings.Cut(mark, "@")
	if !is || mark == "" {
		return nil
	}
	host = strings.ToLower(host)
	switch {
	case host == "smtp.postmarkapp.com", strings.HasSuffix(host, ".postmarkapp.com"):
		return []Header{{"X-PM-KeepID", "true"}, {"X-PM-Metadata-" + MarkName, mark}}
	case strings.HasPrefix(host, "email-smtp") && (strings.HasSuffix(host, ".amazonaws.com") || strings.HasSuffix(host, ".amazonaws.com.cn")):
		return []Header{{"X-SES-MESSAGE-TAGS", MarkName + "=" + mark}}
	}
	return nil
}

// MarkName is what our mark is called at a provider.
const MarkName = "kithline"
