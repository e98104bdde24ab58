package vault

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

// golden is a key of known bytes: 0 to 31.
func golden() *Key {
	var k Key
	for i := range k.master {
		k.master[i] = byte(i)
	}
	k.id = idOf(k.master)
	return &k
}

var row = uuid.MustParse("01890a5d-ac96-774b-bcce-b302099a8057")

func TestRoundTrip(t *testing.T) {
	v := New(NewKey())
	for _, text := range []string{"", "a", "Núria Öztürk", strings.Repeat("long ", 20_000), "a\x00b"} {
		sealed := v.Seal("supporters", "name_sealed", row, text)
		if text == "" {
			if sealed != nil {
				t.Fatalf("the empty text was sealed")
			}
		} else if len(sealed) != len(text)+Overhead {
			t.Fatalf("sealed has %d bytes, want %d", len(sealed), len(text)+Overhead)
		}
		if len(text) > 3 && bytes.Contains(sealed, []byte(text[:4])) {
			t.Fatal("clear text in the sealed value")
		}
		got, err := v.Open("supporters", "name_sealed", row, sealed)
		if err != nil || got != text {
			t.Fatalf("Open = %.20q, %v", got, err)
		}
	}
	key := v.AddressHash("a@example.org")
	got, err := v.OpenBytes("mailboxes", "address_sealed", key, v.SealBytes("mailboxes", "address_sealed", key, []byte("a@example.org")))
	if err != nil || string(got) != "a@example.org" {
		t.Fatalf("OpenBytes = %q, %v", got, err)
	}
	if bytes.Equal(v.Seal("t", "c", row, "same"), v.Seal("t", "c", row, "same")) {
		t.Fatal("two seals of one text are alike")
	}
}

func TestBoundToItsPlace(t *testing.T) {
	v := New(NewKey())
	sealed := v.Seal("supporters", "name", row, "Ana")
	other := uuid.MustParse("01890a5d-ac96-774b-bcce-b302099a8058")
	for name, open := range map[string]func() (string, error){
		"another table":  func() (string, error) { return v.Open("signatures", "name", row, sealed) },
		"another column": func() (string, error) { return v.Open("supporters", "role", row, sealed) },
		"another row":    func() (string, error) { return v.Open("supporters", "name", other, sealed) },
		"moved boundary": func() (string, error) { return v.Open("supportersn", "ame", row, sealed) },
		"another key":    func() (string, error) { return New(NewKey()).Open("supporters", "name", row, sealed) },
	} {
		if got, err := open(); !errors.Is(err, ErrSealed) || got != "" {
			t.Errorf("%s: Open = %q, %v", name, got, err)
		}
	}
}

func TestTampering(t *testing.T) {
	v := New(NewKey())
	sealed := v.Seal("t", "c", row, "Ana Ruiz")
	for i := range sealed {
		for bit := range 8 {
			bad := bytes.Clone(sealed)
			bad[i] ^= 1 << bit
			if got, err := v.Open("t", "c", row, bad); !errors.Is(err, ErrSealed) || got != "" {
				t.Fatalf("byte %d, bit %d changed: %q, %v", i, bit, got, err)
			}
		}
	}
	for n := 1; n < len(sealed); n++ {
		if _, err := v.Open("t", "c", row, sealed[:n]); !errors.Is(err, ErrSealed) {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
	if _, err := v.Open("t", "c", row, append(bytes.Clone(sealed), 0)); !errors.Is(err, ErrSealed) {
		t.Fatal("a byte more was taken")
	}
}

// What the golden key gives is in databases: it never changes.
func TestGolden(t *testing.T) {
	k := golden()
	v := New(k)
	for name, c := range map[string]struct{ got, want string }{
		"text":   {k.Text(), goldenText},
		"id":     {k.ID(), goldenID},
		"hash":   {hex.EncodeToString(v.AddressHash("ana@example.org")), goldenHash},
		"parts":  {hex.EncodeToString(v.Hash("p", []byte("a"), []byte("b"))), goldenParts},
		"derive": {hex.EncodeToString(v.Derive("tokens", 16)), goldenDerive},
		"day":    {hex.EncodeToString(v.DayHash(time.Date(2026, 3, 1, 23, 59, 0, 0, time.UTC), []byte{192, 0, 2, 1})), goldenDay},
		"check":  {hex.EncodeToString(v.CheckValue()), goldenCheck},
	} {
		if c.got != c.want {
			t.Errorf("%s is %q, want %q", name, c.got, c.want)
		}
	}
	sealed, err := hex.DecodeString(goldenSealed)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := v.Open("supporters", "name", row, sealed); err != nil || got != "Ana Ruiz" {
		t.Errorf("the golden sealed value opens as %q, %v; today it would be %x", got, err, v.Seal("supporters", "name", row, "Ana Ruiz"))
	}
}

const (
	goldenText   = "kithline-key-1 0001 G40Q R406 M305 E20H 918T 5GRS 38EM 1W8Y 1245 GK2R GAHR C5RZ R34J D1PG 70XD 3RFF NP17 P6D5 DZMC\n"
	goldenID     = "5b06c66b"
	goldenHash   = "95683938728dac245c84b630d2991bfdd6a16dfce8cb43c6b5d28b8a0d79c3be"
	goldenParts  = "3f44b4737f6221a6b06587f210f1171f2c7ac64ff0c344556b52a2702633caea"
	goldenDerive = "414c8a6a87d52c1e08d19c9f548d0521"
	goldenDay    = "73354a869a7e73970a5ca14ddff6e34407793e51054181e088242252abd7c123"
	goldenCheck  = "5b06c66b607754191f66edd15200b217c933aeee"
	goldenSealed = "015b06c66b000102030405060708090a0bc5409d71a9f3f9c8891f6accf92be96aa7079c16c7df332b"
)

func TestHash(t *testing.T) {
	v := New(NewKey())
	h := v.Hash("address", []byte("ab"), []byte("c"))
	if len(h) != 32 || !bytes.Equal(h, v.Hash("address", []byte("ab"), []byte("c"))) {
		t.Fatal("a hash is not stable")
	}
	for name, other := range map[string][]byte{
		"parts":   v.Hash("address", []byte("a"), []byte("bc")),
		"joined":  v.Hash("address", []byte("abc")),
		"purpose": v.Hash("phone", []byte("ab"), []byte("c")),
		"key":     New(NewKey()).Hash("address", []byte("ab"), []byte("c")),
	} {
		if bytes.Equal(h, other) {
			t.Errorf("%s makes no difference", name)
		}
	}
	day := time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)
	a := v.DayHash(day, []byte("ip"))
	if !bytes.Equal(a, v.DayHash(day.Add(24*time.Hour-1), []byte("ip"))) {
		t.Error("the hash changed within the day")
	}
	if bytes.Equal(a, v.DayHash(day.Add(24*time.Hour), []byte("ip"))) {
		t.Error("the hash of the next day is the same")
	}
	if !bytes.Equal(a, v.DayHash(day.Add(time.Hour).In(time.FixedZone("", -8*3600)), []byte("ip"))) {
		t.Error("the day hangs on the zone of the time given")
	}
}

func TestKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys", "kithline.key")
	k, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for p, want := range map[string]fs.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if st, err := os.Stat(p); err != nil || st.Mode().Perm() != want {
			t.Errorf("%s: mode %v, %v; want %v", p, st.Mode().Perm(), err, want)
		}
	}
	got, err := Read(path)
	if err != nil || *got != *k {
		t.Fatalf("Read = %v, %v", got, err)
	}
	before, _ := os.ReadFile(path)
	if _, err := Create(path); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("Create over a key: %v", err)
	}
	after, _ := os.ReadFile(path)
	if !bytes.Equal(before, after) {
		t.Fatal("the key was overwritten")
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
		t.Fatalf("files were left behind: %v", left)
	}
	if err := os.WriteFile(path, append([]byte("# the key of kithline, keep a copy\n\n"), before...), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := Read(path); err != nil || *got != *k {
		t.Fatalf("with a remark: %v, %v", got, err)
	}
	for _, bad := range []string{"", "\n", "hello", keyForm, string(before) + string(before), strings.Replace(string(before), "key-1", "key-2", 1)} {
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		var typed *TypedError
		if _, err := Read(path); !errors.As(err, &typed) {
			t.Errorf("Read of %q: %v", bad, err)
		}
	}
}

// Several nodes may start for the first time at once: one of them makes the key, and nobody reads half of it.
func TestCreateRace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	var made sync.Map
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			k, err := Create(path)
			if errors.Is(err, fs.ErrExist) {
				k, err = Read(path)
			} else if err == nil {
				made.Store(i, true)
			}
			if err != nil {
				t.Error(err)
				return
			}
			if onDisk, err := Read(path); err != nil || *onDisk != *k {
				t.Errorf("the key on disk is another one: %v", err)
			}
		})
	}
	wg.Wait()
	n := 0
	made.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Fatalf("%d made the key, want 1", n)
	}
}

func TestTypedKey(t *testing.T) {
	k := golden()
	sheet := k.Sheet()
	if len(sheet) != groups {
		t.Fatalf("%d groups", len(sheet))
	}
	all := strings.Join(sheet, "")
	loose := strings.NewReplacer("0", "o", "1", "l").Replace(strings.ToLower(strings.Join(sheet[:10], "-") + "\r\n" + strings.Join(sheet[10:], "\t")))
	for _, typed := range []string{k.Text(), strings.Join(sheet, " "), all, loose, "  " + all[:40] + " " + all[40:] + "\n", strings.ReplaceAll(strings.ReplaceAll(all, "0", "O"), "1", "I")} {
		if got, err := ParseKey(typed); err != nil || *got != *k {
			t.Errorf("ParseKey(%q) = %v, %v", typed, got, err)
		}
	}
	// Every single wrong character of every group is found, and its group named.
	for g := range sheet {
		for i := range groupSize {
			for _, c := range []byte(crockford + "U*") {
				if c == sheet[g][i] {
					continue
				}
				wrong := slices.Clone(sheet)
				b := []byte(wrong[g])
				b[i] = c
				wrong[g] = string(b)
				namesGroup(t, strings.Join(wrong, " "), g+1)
				namesGroup(t, strings.Join(wrong, ""), g+1)
			}
		}
		for i := range groupSize - 1 { // two neighbours exchanged
			b := []byte(sheet[g])
			if b[i] == b[i+1] {
				continue
			}
			b[i], b[i+1] = b[i+1], b[i]
			wrong := slices.Clone(sheet)
			wrong[g] = string(b)
			namesGroup(t, strings.Join(wrong, " "), g+1)
		}
		for _, s := range []string{sheet[g][:3], sheet[g] + "7", "éé"} { // too short, too long, another alphabet
			wrong := slices.Clone(sheet)
			wrong[g] = s
			namesGroup(t, strings.Join(wrong, " "), g+1)
		}
		for h := g + 1; h < len(sheet); h++ { // two groups exchanged
			if sheet[g] != sheet[h] {
				wrong := slices.Clone(sheet)
				wrong[g], wrong[h] = wrong[h], wrong[g]
				namesGroup(t, strings.Join(wrong, " "), g+1, h+1)
			}
		}
	}
	for _, typed := range []string{"", strings.Join(sheet[1:], " "), all + "7", all[1:], strings.Join(NewKey().Sheet(), " ")[:49] + " " + strings.Join(sheet[10:], " ")} {
		var e *TypedError
		if _, err := ParseKey(typed); !errors.As(err, &e) || len(e.Groups) != 0 || e.Reason == "" {
			t.Errorf("ParseKey(%q): %v", typed, err)
		}
	}
}

func namesGroup(t *testing.T, typed string, want ...int) {
	t.Helper()
	_, err := ParseKey(typed)
	var e *TypedError
	if !errors.As(err, &e) || !slices.Equal(e.Groups, want) {
		t.Fatalf("ParseKey(%q): %v, want groups %v named", typed, err, want)
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "kithline.key")
	if _, err := Load(path, nil); err != ErrNoKey {
		t.Fatalf("first start: %v", err)
	}
	k, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	v, err := Load(path, nil)
	if err != nil {
		t.Fatalf("a key and no check value: %v", err)
	}
	check := v.CheckValue()
	if _, err := Load(path, check); err != nil {
		t.Fatalf("the right key: %v", err)
	}

	missing := filepath.Join(dir, "elsewhere.key")
	_, err = Load(missing, check)
	var m *KeyMissing
	if !errors.As(err, &m) {
		t.Fatalf("a missing file: %v", err)
	}
	says(t, err, missing, k.ID(), "kithline keys recover", "recovery sheet")

	other := filepath.Join(dir, "other.key")
	o, err := Create(other)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Load(other, check)
	var w *KeyWrong
	if !errors.As(err, &w) || !errors.Is(err, ErrWrongKey) {
		t.Fatalf("a wrong key: %v", err)
	}
	says(t, err, other, k.ID(), o.ID(), "kithline keys recover")

	for i := range check {
		bad := bytes.Clone(check)
		bad[i] ^= 1
		if _, err := Load(path, bad); !errors.Is(err, ErrWrongKey) {
			t.Fatalf("check value with byte %d changed: %v", i, err)
		}
	}
	if _, err := Load(path, check[:3]); !errors.Is(err, ErrWrongKey) {
		t.Fatalf("a short check value: %v", err)
	}

	if err := os.WriteFile(other, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][]byte{nil, check} { // a damaged key is never taken for none
		_, err = Load(other, c)
		var u *KeyUnreadable
		if !errors.As(err, &u) {
			t.Fatalf("a damaged file: %v", err)
		}
		says(t, err, other, "kithline keys recover")
	}
	if _, err := Load(dir, nil); err == nil || errors.Is(err, ErrNoKey) {
		t.Fatalf("a folder in place of the file: %v", err)
	}
}

func says(t *testing.T, err error, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q does not say %q", err, w)
		}
	}
}

// A key that ends in a log by mistake shows its id only.
func TestKeyIsNotPrinted(t *testing.T) {
	k := golden()
	if s := k.String() + k.GoString(); strings.Contains(s, k.Sheet()[3]) || !strings.Contains(s, k.ID()) {
		t.Fatal(s)
	}
}

func TestConcurrent(t *testing.T) {
	v := New(NewKey())
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			id := uuid.New()
			text := strings.Repeat(string(rune('a'+g)), 10+g)
			want := v.AddressHash(text)
			for range 500 {
				if got, err := v.Open("t", "c", id, v.Seal("t", "c", id, text)); err != nil || got != text {
					t.Errorf("%q, %v", got, err)
				}
				if !bytes.Equal(v.AddressHash(text), want) {
					t.Error("hashes differ")
				}
				v.DayHash(time.Unix(int64(g)*86_400, 0), []byte(text))
			}
		})
	}
	wg.Wait()
}

func TestAllocations(t *testing.T) {
	v := New(NewKey())
	sealed := v.Seal("supporters", "name", row, "Ana Ruiz")
	for name, c := range map[string]struct {
		max float64
		f   func()
	}{
		"Seal": {1, func() { v.Seal("supporters", "name", row, "Ana Ruiz") }},
		"Open": {1, func() { v.Open("supporters", "name", row, sealed) }},
		"Hash": {2, func() { v.AddressHash("ana@example.org") }},
	} {
		if n := testing.AllocsPerRun(200, c.f); n > c.max && !raceDetector {
			t.Errorf("%s allocates %v times, at most %v", name, n, c.max)
		}
	}
}

func BenchmarkSeal(b *testing.B) {
	v := New(NewKey())
	b.ReportAllocs()
	for b.Loop() {
		v.Seal("supporters", "name", row, "Ana Ruiz")
	}
}

func BenchmarkOpen(b *testing.B) {
	v := New(NewKey())
	sealed := v.Seal("supporters", "name", row, "Ana Ruiz")
	b.ReportAllocs()
	for b.Loop() {
		v.Open("supporters", "name", row, sealed)
	}
}

func BenchmarkAddressHash(b *testing.B) {
	v := New(NewKey())
	b.ReportAllocs()
	for b.Loop() {
		v.AddressHash("ana@example.org")
	}
}

func BenchmarkDerive(b *testing.B) {
	v := New(NewKey())
	for b.Loop() {
		v.Derive("tokens", 32)
	}
}
