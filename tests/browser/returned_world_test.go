package browser

import (
	"context"
	"fmt"

	"kithline/campaigns/tokens"
	"kithline/models"
)

// returned lets mail come back in several ways, and fills the suppression list.
func (w *world) returned() {
	w.t.Helper()
	ctx := context.Background()
	_, err := w.Suppressions.Add(ctx, w.owner, []string{"left@example.org", "gone@example.org"}, "From the list of the old system", false)
	w.must(err)
	_, err = w.Suppressions.Add(ctx, w.owner, []string{"asked@example.org"}, "She asked on the telephone", false)
	w.must(err)
	w.must(w.Inbound.SetPostmark(ctx, w.owner, true))
	w.must(w.Inbound.SetSES(ctx, w.owner, "arn:aws:sns:eu-west-1:123456789012:bounces"))
	var sent []models.Delivery
	w.must(w.DB.Where("state = ? AND attempt > 0 AND mailbox_id NOT IN (SELECT mailbox_id FROM users)", models.DeliverySent).Order("created_at, id").Find(&sent).Error)
	says := []string{"5.1.1 The mailbox is not known here", "5.7.1 Mail from this network is refused by our policy", "4.2.2 The mailbox is full", "5.3.4 The message is too big"}
	for i, d := range sent[:min(len(sent), len(says))] {
		raw := fmt.Sprintf("From: MAILER-DAEMON@mx.example.net\r\nTo: bounces+%s@act.example.org\r\nSubject: Undelivered Mail\r\nMIME-Version: 1.0\r\n"+
			"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.net\r\n\r\n"+
			"Final-Recipient: rfc822; june@example.net\r\nAction: failed\r\nStatus: %s\r\nDiagnostic-Code: smtp; 550 %s\r\n\r\n--b--\r\n",
			w.Signer.MakeForever(tokens.Message, d.ID), says[i][:5], says[i])
		_, err := w.Inbound.Take(ctx, models.SourceIMAP, []byte(raw))
		w.must(err)
	}
}
