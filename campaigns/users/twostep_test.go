package users

import (
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

// code is what the device of a user shows now.
func (w *world) code(key string) string {
	w.t.Helper()
	c, err := totp.GenerateCode(strings.ReplaceAll(key, " ", ""), w.clock.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// twoSteps sets the second step of the owner up and returns the key, the recovery codes and the session that went on.
func (w *world) twoSteps(s Session) (key string, codes []string, out Session) {
	w.t.Helper()
	a := w.who(s)
	if err := w.BeginTwoStep(ctx, a); err != nil {
		w.t.Fatal(err)
	}
	t, err := w.TwoStep(ctx, a)
	if err != nil || !t.Begun || !t.Required || t.Since != nil {
		w.t.Fatalf("%+v, %v", t, err)
	}
	v := home
	v.OldToken = s.Token
	codes, out, err = w.ConfirmTwoStep(ctx, a, v, w.code(t.Secret))
	if err != nil || out.Half {
		w.t.Fatal(out, err)
	}
	return t.Secret, codes, out
}

func TestTheWidestRightsWaitForASecondStep(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		s := w.owner()
		a := w.who(s)
		for _, r := range actor.TwoStep {
			if err := a.Need(r); a.May(r) || !fault.Is(err, fault.Forbidden) {
				t.Errorf("%s after one step: %v", r, err)
			}
		}
		if !a.May(actor.SeeSupporters) || !a.NeedsTwoStep() {
			t.Error("the rest of the rights went too")
		}
		if q, err := w.Today(ctx, a); err != nil || len(q) != 1 {
			t.Errorf("nothing reminds: %v, %v", q, err)
		}
		_, _, s = w.twoSteps(s)
		a = w.who(s)
		for _, r := range actor.TwoStep {
			if !a.May(r) {
				t.Errorf("%s is missing after two steps", r)
			}
		}
		if q, err := w.Today(ctx, a); err != nil || len(q) != 0 {
			t.Errorf("still reminded: %v, %v", q, err)
		}
		w.add("viewer@example.org", actor.Viewer)
		if (actor.Actor{Kind: actor.User, Role: actor.Viewer}).NeedsTwoStep() {
			t.Error("a viewer has nothing that waits")
		}
	})
}

func TestSigningInByTwoSteps(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		first := w.owner()
		other, err := w.Login(ctx, home, "ilse@example.org", secret)
		if err != nil {
			t.Fatal(err)
		}
		key, codes, s := w.twoSteps(first)
		if !w.ended(first) || !w.ended(other) || w.ended(s) {
			t.Error("sessions of one step go on")
		}
		if len(codes) != recoveryCodes {
			t.Fatal(codes)
		}

		login := func() Session {
			t.Helper()
			half, err := w.Login(ctx, home, "ilse@example.org", secret)
			if err != nil || !half.Half {
				t.Fatal(half, err)
			}
			return half
		}
		half := login()
		if !w.ended(half) {
			t.Fatal("a half sign-in is a session")
		}
		v := home
		v.OldToken = half.Token
		// The code that set it up is used up, even now.
		for _, wrong := range []string{w.code(key), "000000", "", "12345678901234567890", codes[0][:5]} {
			if _, err := w.SecondStep(ctx, v, wrong); fields(err) != "code error.step_code_wrong" {
				t.Errorf("%q: %v", wrong, err)
			}
		}
		w.clock.Add(window)
		if _, err := w.SecondStep(ctx, v, w.code(key)); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("a sign-in waits for ever: %v", err)
		}
		half = login()
		v.OldToken = half.Token
		typed := w.code(key)
		full, err := w.SecondStep(ctx, v, typed[:3]+" "+typed[3:])
		if err != nil || w.ended(full) || !w.who(full).May(actor.Send) {
			t.Fatal(full, err)
		}
		if _, err := w.SecondStep(ctx, v, typed); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("a half sign-in works twice: %v", err)
		}
		again := login()
		v.OldToken = again.Token
		if _, err := w.SecondStep(ctx, v, typed); fields(err) != "code error.step_code_wrong" {
			t.Errorf("a code works twice: %v", err)
		}
		// The clock of the device may be half a minute off; an older code than the last used one is not good.
		w.clock.Add(codePeriod)
		if _, err := w.SecondStep(ctx, v, typed); fields(err) != "code error.step_code_wrong" {
			t.Errorf("the code before works again: %v", err)
		}
		if _, err := w.SecondStep(ctx, v, strings.ToUpper(codes[3])); err != nil {
			t.Errorf("a recovery code: %v", err)
		}
		v.OldToken = login().Token
		if _, err := w.SecondStep(ctx, v, codes[3]); fields(err) != "code error.step_code_wrong" {
			t.Errorf("a recovery code works twice: %v", err)
		}
		if st, err := w.TwoStep(ctx, w.who(full)); err != nil || st.Codes != recoveryCodes-1 || st.Secret != "" {
			t.Errorf("%+v, %v", st, err)
		}

		// A password change keeps who made it signed in.
		c := home
		c.OldToken = full.Token
		full, err = w.ChangePassword(ctx, w.who(full), c, secret, "another four words there")
		if err != nil || full.Half || w.ended(full) {
			t.Fatal(full, err)
		}
	})
}

func TestACodeGuessedInManyTabsIsStopped(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		key, _, _ := w.twoSteps(w.owner())
		w.clock.Add(window)
		half, err := w.Login(ctx, home, "ilse@example.org", secret)
		if err != nil {
			t.Fatal(err)
		}
		v := home
		v.OldToken = half.Token
		for range codesOfAccount.max {
			if _, err := w.SecondStep(ctx, v, "000000"); fields(err) != "code error.step_code_wrong" {
				t.Fatal(err)
			}
		}
		if _, err := w.SecondStep(ctx, v, w.code(key)); !fault.Is(err, fault.TooMany) {
			t.Errorf("after %d wrong codes: %v", codesOfAccount.max, err)
		}
	})
}

func TestOneCodeSignsInOnce(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		key, _, _ := w.twoSteps(w.owner())
		w.clock.Add(codePeriod * 2)
		const tabs = 4
		var visits [tabs]Visit
		for i := range visits {
			half, err := w.Login(ctx, home, "ilse@example.org", secret)
			if err != nil {
				t.Fatal(err)
			}
			visits[i] = home
			visits[i].OldToken = half.Token
		}
		typed := w.code(key)
		var mu sync.Mutex
		in := 0
		var all sync.WaitGroup
		for _, v := range visits {
			all.Go(func() {
				_, err := w.SecondStep(ctx, v, typed)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					in++
				} else if fields(err) != "code error.step_code_wrong" {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if in != 1 {
			t.Errorf("one code let %d in", in)
		}
	})
}

func TestTheSecondStepEndsAndIsReset(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		key, old, s := w.twoSteps(w.owner())
		a := w.who(s)
		if err := w.BeginTwoStep(ctx, a); !fault.Is(err, fault.Conflict) {
			t.Errorf("a new key beside the one in use: %v", err)
		}
		if err := w.EndTwoStep(ctx, a, "123"); fields(err) != "code error.step_code_wrong" {
			t.Errorf("ended without a code: %v", err)
		}
		w.clock.Add(codePeriod)
		codes, err := w.NewRecoveryCodes(ctx, a, w.code(key))
		if err != nil || len(codes) != recoveryCodes {
			t.Fatal(codes, err)
		}
		if err := w.EndTwoStep(ctx, a, old[0]); fields(err) != "code error.step_code_wrong" {
			t.Errorf("an old recovery code is still good: %v", err)
		}
		if err := w.ResetTwoStep(ctx, a, a.UserID); !fault.Is(err, fault.Forbidden) {
			t.Errorf("one's own step is reset without a code: %v", err)
		}
		if err := w.EndTwoStep(ctx, a, codes[0]); err != nil {
			t.Fatal(err)
		}
		if a = w.who(s); a.May(actor.Send) || !a.OneStep {
			t.Errorf("%+v", a)
		}
		_, _, s = w.twoSteps(s)
		if err := w.ResetTwoStep(ctx, actor.TheSystem(), a.UserID); err != nil {
			t.Fatal(err)
		}
		var n int64
		if err := db.Model(&models.RecoveryCode{}).Count(&n).Error; err != nil || n != 0 || !w.ended(s) {
			t.Errorf("%d codes left, session ended: %v, %v", n, w.ended(s), err)
		}
		if half, err := w.Login(ctx, home, "ilse@example.org", secret); err != nil || half.Half {
			t.Errorf("%+v, %v", half, err)
		}
		// On, off, on again, reset: whoever has the account hears of each, as things stand when the mail goes.
		if told := w.mails(KindTwoStep); len(told) != 4 {
			t.Errorf("%d mails about it", len(told))
		} else if c, err := w.render(told[3]); err != nil || !strings.HasSuffix(fmt.Sprint(c.Data), " (UTC) false}") {
			t.Errorf("%v, %v", c.Data, err)
		}
		for _, want := range []string{"user.two_step_on", "user.two_step_off", "user.two_step_reset", "user.recovery_codes"} {
			if !strings.Contains(w.actions(), want) {
				t.Errorf("%s is not in the audit log", want)
			}
		}
	})
}

func TestTheKeyIsSealedAndReadsAsAnAddress(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		s := w.owner()
		if err := w.BeginTwoStep(ctx, w.who(s)); err != nil {
			t.Fatal(err)
		}
		st, err := w.TwoStep(ctx, w.who(s))
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(st.URL)
		if err != nil || u.Scheme != "otpauth" || u.Host != "totp" || u.Query().Get("issuer") != "Wennick" || u.Path != "/Wennick:ilse@example.org" {
			t.Errorf("%s, %v", st.URL, err)
		}
		key := strings.ReplaceAll(st.Secret, " ", "")
		var row models.User
		if err := db.Take(&row).Error; err != nil {
			t.Fatal(err)
		}
		if u.Query().Get("secret") != key || len(key) != 32 || strings.Contains(string(row.TOTPSecretSealed), key) {
			t.Errorf("%q", key)
		}
		// A key that nobody confirmed asks nobody for a code.
		if again, err := w.Login(ctx, home, "ilse@example.org", secret); err != nil || again.Half {
			t.Errorf("%+v, %v", again, err)
		}
	})
}

func TestSixDigitsAsTheStandardCountsThem(t *testing.T) {
	// RFC 6238, appendix B: SHA-1, the last six digits of the eight there.
	const key = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
	for at, want := range map[int64]string{59: "287082", 1111111109: "081804", 1234567890: "005924", 2000000000: "279037"} {
		if step := stepOf(key, want, time.Unix(at, 0), 0); step != at/30 {
			t.Errorf("%s at %d is of step %d", want, at, step)
		}
		if step := stepOf(key, want, time.Unix(at+90, 0), 0); step != 0 {
			t.Errorf("%s is good three steps later", want)
		}
	}
}
