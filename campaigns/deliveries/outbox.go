package deliveries

import "kithline/mailer"

// ErrNoMail is returned by an Outbox for an id that is not, or no longer, in the folder.
var ErrNoMail = mailer.ErrNoMail
