package mailer

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/emersion/go-message/textproto"
	"golang.org/x/text/unicode/norm"
)

// class says what the mail is. The order matters: what a machine says in a form of its own goes before what words look like.
func (r *reading) class() Returned {
	switch {
	case r.feedback != nil:
		return r.complaint()
	case len(r.status) > 0:
		return r.notification()
	case r.receipt:
		return Returned{Class: AutoReply}
	case r.fromMailer():
		return r.textBounce()
	case r.automatic():
		return Returned{Class: AutoReply}
	}
	return r.fromPerson()
}

// complaint reads a report of a reader's provider (RFC 5965). Reports about authentication (RFC 6591) and "this is no spam" are
// no complaints.
func (r *reading) complaint() Returned {
	kind := strings.ToLower(strings.TrimSpace(r.feedback.Get("Feedback-Type")))
	switch kind {
	case "abuse", "fraud", "virus", "other", "miscategorized":
		return Returned{Class: Complaint, Diagnostic: kind}
	case "opt-out", "opt-out-list":
		return Returned{Class: StopReply, Diagnostic: kind}
	}
	return Returned{Class: Unclear, Diagnostic: Scrub(kind)}
}

// notification reads a DSN (RFC 3464). Of several recipients the worst counts: each of our mails has one.
func (r *reading) notification() Returned {
	rank := map[string]int{"failed": 5, "delayed": 4, "delivered": 3, "relayed": 2, "expanded": 1}
	var worst *textproto.Header
	action := ""
	for i := range r.status {
		h := &r.status[i]
		a, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(h.Get("Action"))), " ")
		if a == "" && h.Get("Final-Recipient") != "" { // some leave it out
			a = "failed"
			if strings.HasPrefix(strings.TrimSpace(h.Get("Status")), "2") {
				a = "delivered"
			}
		}
		if rank[a] > rank[action] {
			worst, action = h, a
		}
	}
	if worst == nil {
		return r.textBounce()
	}
	words := worst.Get("Diagnostic-Code")
	if kind, said, is := strings.Cut(words, ";"); is && !strings.ContainsAny(strings.TrimSpace(kind), " \t") {
		words = strings.TrimSpace(said)
	}
	if words == "" { // some say it to people alone
		words = said(r.explanation(), recipients(worst)...)
	}
	out := Returned{Status: better(code(worst.Get("Status")), code(words)), Diagnostic: Scrub(words, recipients(worst)...)}
	switch action {
	case "failed":
		out.Class = classOf(out.Status, words)
	case "delayed":
		out.Class = Delayed
	default:
		out.Class = Delivered
	}
	return out
}

// recipients are the addresses that a group of a DSN names, for Scrub.
func recipients(h *textproto.Header) (out []string) {
	for _, name := range []string{"Final-Recipient", "Original-Recipient", "X-Actual-Recipient"} {
		v := h.Get(name)
		if _, a, is := strings.Cut(v, ";"); is {
			v = a
		}
		if v = strings.Trim(strings.TrimSpace(v), "<>"); v != "" {
			out = append(out, v)
		}
	}
	return out
}

var (
	statusCode = regexp.MustCompile(`(?:^|[^0-9.])([245]\.[0-9]{1,3}\.[0-9]{1,3})(?:[^0-9.]|\.?$|\.\D)`)
	replyCode  = regexp.MustCompile(`(?:^|[\s:#>(])([45][0-9]{2})(?:[\s-]|$)`)
)

// code is the first enhanced status code of a text, "" where there is none.
func code(s string) string {
	if m := statusCode.FindStringSubmatch(s); m != nil {
		return m[1]
	}
	return ""
}

// Vague reports whether a status says only that something went wrong.
func Vague(status string) bool {
	switch status {
	case "", "5.0.0", "5.1.0", "5.2.0", "5.3.0", "5.4.0", "5.5.0":
		return true
	}
	return false
}

// better chooses between the status that the reporting server gave and the one in the words of the server that refused.
func better(status, inWords string) string {
	if Vague(status) && inWords != "" && inWords[0] != '2' || status == "" {
		return inWords
	}
	return status
}

// classOf is the class of a failure by its status, and by the server's words where the status says too little.
func classOf(status, words string) Class {
	if Vague(status) {
		return classOfWords(words)
	}
	class, rest, _ := strings.Cut(status, ".")
	subject, detail, _ := strings.Cut(rest, ".")
	switch {
	case class != "5":
		return BounceSoft
	case slices.Contains([]string{"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"}, status):
		return BounceHard
	case subject == "7", status == "5.1.7", status == "5.1.8":
		return BouncePolicy
	case subject == "6", subject == "3" && detail == "4", subject == "2" && detail == "3":
		return BounceOurs
	}
	return BounceSoft
}

// What servers say where they give no code that tells. The order matters: "mailbox full" goes before "mailbox unavailable", and
// what speaks of us goes before what speaks of the mailbox, since a person is suppressed for that.
var phrases = []struct {
	class Class
	says  *regexp.Regexp
}{
	{BounceSoft, regexp.MustCompile(`(?i)mailbox (is |was )?(full|over quota)|over ?quota|quota (is )?exceeded|exceeded (the )?(storage|quota|mailbox)|(mailbox|message store|inbox).{0,30}(size|storage) limit|not enough (disk )?space|insufficient (disk|system) (space|storage|resources)|mail ?box.{0,20}too large|buz[oó]n.{0,20}lleno`)},
	{BounceOurs, regexp.MustCompile(`(?i)message (size |is |was )?(too (big|large|long)|larger than|exceeds?)|(exceeds?|exceeded) .{0,40}(maximum|size)|size limit|maximum (allowed )?(message|mail) size|lines? (is |are )?too long|malformed|mime|bare (lf|line)|invalid header|header.{0,20}(missing|invalid|duplicat)|duplicate.{0,20}header`)},
	{BouncePolicy, regexp.MustCompile(`(?i)\bspam|block(ed|list|ing)|black ?list|block ?list|\b[dr]nsbl\b|\brbl\b|spamhaus|barracuda|spamcop|reputation|polic(y|ies)|\bspf\b|\bdkim\b|\bdmarc\b|not authori[sz]ed|authentication|access denied|administrative|prohibit|relay(ing)?( access)? (denied|not)|unable to relay|relaying|reject(ed)? (for|due to|because)|content (was |is )?rejected|virus|banned|unsolicited|reverse dns|\bptr\b|\bsender\b.{0,40}(reject|denied|not|invalid|refused)|too many (connections|messages|recipients)|rate limit`)},
	{BounceHard, regexp.MustCompile(`(?i)(user|mailbox|recipient|address|account|alias|addressee)( name)?( <[^>]*>)?( (is|was|has been|does|did|could|has))*( (not|no longer|never))?( be)? ?(unknown|found|exist|disabled|deactivated|inactive|suspended|closed|invalid|undeliverable|valid|a valid|listed|available|on this server)|(unknown|invalid|no such|bad|non-?existent|unrouteable|unroutable) (local )?(user|mailbox|recipient|address|account|alias|person|mail ?box)|no (mailbox|mail box|user|such) .{0,30}(here|exist|found|by that name|user)|not our customer|does(n't| not) (exist|have)|is not a (known|valid)|user doesn't|no account|unrouteable address|domain does not exist|null ?mx|no smtp service|does not accept (any )?mail|recipient (address )?rejected|usuario (desconocido|no existe)|no existe`)},
}

// classOfWords is the class of a failure by the words of a server alone; what names nothing is soft.
func classOfWords(words string) Class {
	words = strings.Join(strings.Fields(words), " ")
	if m := replyCode.FindStringSubmatch(words); m != nil && m[1][0] == '4' {
		return BounceSoft
	} else if m != nil && m[1] == "552" && !phrases[1].says.MatchString(words) {
		return BounceSoft // storage allocation (RFC 5321, section 4.2.2)
	}
	for _, p := range phrases {
		if p.says.MatchString(words) {
			return p.class
		}
	}
	return BounceSoft
}

// mailers are the names before the @ by which mail servers write themselves.
var mailers = []string{"mailer-daemon", "maildaemon", "mail-daemon", "mailerdaemon", "postmaster", "mdaemon", "mail_daemon", "bounce", "bounces"}

var bounceSubject = regexp.MustCompile(`(?i)(^\W*(undeliver(able|ed)|delivery (status|failure|has failed|report|notification)|mail delivery|mail system error|returned mail|failure notice|(mail|message) (could not be|not|un)? ?deliver|non[- ]?deliver|warning: |mail status report|no se (puede|pudo) entregar|error de entrega|devuelto|mensaje no entregado)|^.{0,30}delivery failure)`)

// fromMailer reports whether a mail server wrote it, by who it is from: text bounces have no part that says so. Automatic
// replies come without a return address too.
func (r *reading) fromMailer() bool {
	if r.top.Has("X-Failed-Recipients") {
		return true
	}
	kind, params, _ := r.top.ContentType()
	if kind == "multipart/report" && strings.EqualFold(params["report-type"], "delivery-status") {
		return true
	}
	from, err := r.top.AddressList("From")
	local := ""
	if err == nil && len(from) > 0 {
		local, _, _ = strings.Cut(strings.ToLower(from[0].Address), "@")
	} else if m := regexp.MustCompile(`(?i)mailer-daemon|postmaster`).FindString(r.top.Get("From")); m != "" {
		local = strings.ToLower(m)
	}
	subject := r.subject()
	switch {
	case local == "mailer-daemon", local == "maildaemon", local == "mail-daemon", local == "mailerdaemon":
		return true
	case slices.Contains(mailers, local):
		return bounceSubject.MatchString(subject)
	}
	return strings.TrimSpace(r.top.Get("Return-Path")) == "<>" && bounceSubject.MatchString(subject)
}

func (r *reading) subject() string {
	s, err := r.top.Subject()
	if err != nil {
		return r.top.Get("Subject")
	}
	return s
}

// below begins the copy of our own mail in a text bounce.
var below = regexp.MustCompile(`(?im)^[-=>\s]*(this is a copy of (the|your) message|below this line is a copy of|below is a copy of the original|(the )?(original|unsent|returned) message (follows|below|headers)|original message( header)?s?\s*-*$|message headers? follow|included below is|copia del mensaje|-+ ?returned mail ?-*|received: )`)

// explanation is the text for people, without the copy of our own mail.
func (r *reading) explanation() string {
	text := r.text
	if at := below.FindStringIndex(text); at != nil {
		text = text[:at[0]]
	}
	return text
}

var (
	stillTrying = regexp.MustCompile(`(?i)(has|have) not (yet )?been (delivered|received)|not yet been|will (continue|keep|be retried|retry|try)|still (being )?(try|tri|retried)|delivery attempts will continue|warning message only|no action is required|do not need to resend|delayed|se seguir[aá] intentando`)
	gaveUp      = regexp.MustCompile(`(?i)permanent|could not be delivered|giving up|given up|undeliverable|failed|final`)
)

// textBounce reads what a server wrote in words alone.
func (r *reading) textBounce() Returned {
	text := r.explanation()
	subject := r.subject()
	out := Returned{Status: code(text), Diagnostic: Scrub(said(text))}
	late := regexp.MustCompile(`(?i)delay|warning`).MatchString(subject)
	if late && (stillTrying.MatchString(text) || !gaveUp.MatchString(text)) || stillTrying.MatchString(text) && !gaveUp.MatchString(text) {
		out.Class = Delayed
		return out
	}
	if strings.HasPrefix(out.Status, "2") {
		out.Class = Delivered
		return out
	}
	if strings.TrimSpace(text) == "" && r.returned == nil {
		return Returned{Class: Unclear}
	}
	out.Class = classOf(out.Status, said(text))
	return out
}

// said is the part of a text for people that the refusing server said: from the first line with a code, else from the first that
// names a recipient, else all of it.
func said(text string, recipients ...string) string {
	lines := strings.Split(text, "\n")
	from := func(is func(string) bool) string {
		if i := slices.IndexFunc(lines, is); i >= 0 {
			return strings.Join(strings.Fields(strings.Join(lines[i:min(i+4, len(lines))], " ")), " ")
		}
		return ""
	}
	if s := from(func(l string) bool { return replyCode.MatchString(l) || code(l) != "" }); s != "" {
		return s
	}
	if s := from(func(l string) bool {
		return slices.ContainsFunc(recipients, func(a string) bool { return strings.Contains(l, a) })
	}); s != "" {
		return s
	}
	return strings.Join(strings.Fields(text), " ")
}

var autoSubject = regexp.MustCompile(`(?i)^\W*(re: )?(auto(matic|mated)?[ -]?(reply|response|answer|responder|generated)|autoreply|out of (the )?office|ooo\b|(i am|i'm|away|currently) (away|on (vacation|leave)|from my mail|out of)|away from|vacation (reply|response|notice|message)|respuesta autom[aá]tica|auto ?respuesta|fuera de (la )?oficina|ausente|estoy de vacaciones|abwesen|automatische antwort|r[ée]ponse automatique|absence|abwesenheitsnotiz|(your )?(ticket|request|case) .{0,30}(received|opened|created)|we (have )?received your)`)

// automatic reports whether a machine wrote it, by RFC 3834 and by what those do who do not know it.
func (r *reading) automatic() bool {
	word := func(name string) string {
		v, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(r.top.Get(name))), ";")
		return strings.TrimSpace(v)
	}
	if v := word("Auto-Submitted"); v != "" && v != "no" {
		return true
	}
	for _, name := range []string{
		"X-Autoreply", "X-Autorespond", "X-Autoresponder", "X-Auto-Reply", "X-Autoreply-From", "X-Mail-Autoreply", "X-Autogenerated", "X-AutoReply-From",
		"X-MS-Exchange-Inbox-Rules-Loop", "X-POST-MessageClass", "X-Auto-Reply-From", "X-Vacation", "X-Amazon-Auto-Reply", "X-Zendesk-Auto-Reply",
	} {
		if v := word(name); r.top.Has(name) && v != "no" && v != "false" {
			return true
		}
	}
	for _, name := range []string{"Precedence", "X-Precedence"} {
		if slices.Contains([]string{"auto_reply", "auto-reply", "bulk", "junk", "list"}, word(name)) {
			return true
		}
	}
	if s := word("X-Auto-Response-Suppress"); (s == "all" || strings.Contains(s, "oof") || strings.Contains(s, "autoreply")) && word("X-MS-Exchange-Generated-Message-Source") != "" {
		return true
	}
	if strings.TrimSpace(r.top.Get("Return-Path")) == "<>" || r.top.Has("List-Id") || r.top.Has("List-Unsubscribe") {
		return true
	}
	if from, err := r.top.AddressList("From"); err == nil && len(from) > 0 {
		local, _, _ := strings.Cut(strings.ToLower(from[0].Address), "@")
		if slices.Contains([]string{"noreply", "no-reply", "donotreply", "do-not-reply", "autoreply", "auto-reply", "autoresponder", "postmaster"}, local) {
			return true
		}
	}
	return autoSubject.MatchString(r.subject())
}

// stops are what somebody writes to be left alone, folded: the whole first line, nothing beside it.
var stops = func() map[string]bool {
	out := map[string]bool{}
	for _, s := range []string{
		"stop", "stop all", "stop it", "stop mail", "stop mails", "stop email", "stop emails", "stop this", "stop these emails", "stop sending", "stop sending me emails",
		"stop emailing me", "unsubscribe", "unsubscribe me", "unsubscribe all", "unsubscribe from all", "unsubscribe from this list", "unsubscribed", "unsub", "remove", "remove me", "remove me from your list",
		"remove me from this list", "remove me from the list", "take me off your list", "take me off this list", "take me off the list", "opt out", "optout", "opt me out", "cancel", "cancel subscription", "cancel my subscription", "no more emails", "no more mail", "no more",
		"baja", "dar de baja", "darme de baja", "darse de baja", "deme de baja", "denme de baja", "dame de baja", "quiero darme de baja", "deseo darme de baja", "solicito la baja", "solicito baja",
		"cancelar", "cancelar suscripcion", "cancelar mi suscripcion", "cancelar la suscripcion", "cancela", "desuscribir", "desuscribirme", "desuscribirse", "anular suscripcion", "anular la suscripcion", "anular",
		"alto", "parar", "paren", "pare", "para ya", "no mas", "no mas correos", "no mas mensajes", "basta", "no enviar mas", "no me envien mas", "no me envien mas correos",
		"eliminar", "eliminarme", "borrar", "borrarme", "quitar", "quitarme", "quitenme de la lista", "eliminenme de la lista",
	} {
		out[s] = true
	}
	return out
}()

// polite are words around those of stops that say nothing.
var polite = regexp.MustCompile(`\b(please|pls|plz|thanks|thank you|thx|now|hello|hi|por favor|porfavor|gracias|hola|ya)\b`)

// fold is a line in small letters without marks, punctuation and polite words.
func fold(line string) string {
	var b strings.Builder
	for _, c := range norm.NFD.String(strings.ToLower(line)) {
		switch {
		case unicode.Is(unicode.Mn, c):
		case unicode.IsLetter(c), unicode.IsDigit(c):
			b.WriteRune(c)
		default:
			b.WriteByte(' ')
		}
	}
	whole := strings.Join(strings.Fields(b.String()), " ")
	if stops[whole] {
		return whole
	}
	return strings.Join(strings.Fields(polite.ReplaceAllString(whole, " ")), " ")
}

var (
	quoteHead = regexp.MustCompile(`(?i)^(on .{5,200} wrote:?$|el .{5,200} escribi[oó]:?$|-+ ?(original message|mensaje original|forwarded message|mensaje reenviado) ?-+|_{5,}$|(from|de|von): .+@)`)
	answerTo  = regexp.MustCompile(`(?i)^\s*((re|rv|fwd?|aw|sv|res?p?)\s*(\[\d+\])?\s*:\s*)+`)
)

// fromPerson tells the answer "stop" from any other. Where the body is empty the subject counts, as for the address of a
// List-Unsubscribe header.
func (r *reading) fromPerson() Returned {
	first := ""
	for line := range strings.Lines(r.text) {
		line = strings.TrimSpace(strings.ReplaceAll(line, "\u00a0", " "))
		if strings.HasPrefix(line, ">") {
			continue
		}
		if quoteHead.MatchString(line) {
			break
		}
		if fold(line) != "" { // a line of greetings alone says nothing
			first = line
			break
		}
	}
	if first == "" {
		subject := r.subject()
		if !answerTo.MatchString(subject) && stops[fold(subject)] {
			return Returned{Class: StopReply}
		}
		return Returned{Class: Reply}
	}
	if len(first) < 200 && stops[fold(first)] {
		return Returned{Class: StopReply}
	}
	return Returned{Class: Reply}
}

// ClassOf is the class of a failure by its enhanced status code and by the server's words where that says too little: for what
// providers say in a form of their own.
func ClassOf(status, words string) Class { return classOf(better(code(status), code(words)), words) }

// StatusIn is the first enhanced status code (RFC 3463) of a server's words, "" where there is none.
func StatusIn(words string) string { return code(words) }
