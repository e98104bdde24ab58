// Package arch holds the direction of imports as docs/architecture.md describes it. A rule here is a decision: change the
// page and the rule together, or neither.
package arch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	module    = "kithline"
	campaigns = module + "/campaigns"
)

// levels are the floors of campaigns, the lowest first. A package imports packages of lower floors only; those of its own
// floor stand in sameLevel.
var levels = [][]string{
	{"fault", "actor", "paging", "clock", "address", "postal", "phones", "markdown", "qr", "print"},
	{"audit", "jobs", "tokens", "vault", "mailboxes", "files", "deliveries", "groupcommit", "inbound", "today", "confirmations", "figures"},
	{"organisation", "users", "supporters", "consents", "segments", "divisions", "legislators", "chapters", "erasures", "keys", "abuse", "deliverability", "suppressions", "pacing"},
	{""}, // campaigns itself
	{"petitions", "letters", "events", "volunteers", "rosters", "meetings", "posts", "services", "flows", "forms", "duplicates"},
	{"mailings", "series", "me", "retention"},
	{"imports", "exports", "webhooks", "reports", "backups", "packs"},
	{"demo"},
}

// sameLevel lists what a package may import of its own floor. Each line is a decision, and there is no circle.
var sameLevel = map[string][]string{
	"actor":         {"fault"},
	"paging":        {"fault"},
	"address":       {"fault"},
	"tokens":        {"vault"},
	"mailboxes":     {"audit", "vault"},
	"files":         {"audit", "jobs", "vault"},
	"deliveries":    {"audit", "jobs", "tokens", "vault", "mailboxes", "groupcommit"},
	"confirmations": {"tokens", "deliveries"},
	"inbound":       {"audit", "jobs", "tokens", "vault", "mailboxes", "deliveries", "today"},
	"divisions":     {"chapters"},
	"legislators":   {"chapters", "divisions", "segments"},
	"users":         {"organisation"},
	"consents":      {"organisation"},
	"supporters":    {"organisation", "consents", "chapters", "divisions", "erasures"},
	"erasures":      {"chapters"},
	"suppressions":  {"chapters"},
	"segments":      {"organisation", "consents", "chapters", "divisions", "supporters"},
	"petitions":     {"posts"},
	"packs":         {"exports"},

	"deliverability": {"organisation"},
	"series":         {"mailings"},
}

// rule forbids imports. It looks at a file of a package that is not a test.
type rule struct {
	name     string
	applies  func(f file) bool
	forbids  func(path string) bool
	unless   []string // import paths that are allowed all the same
	question string   // what to do instead
}

// file is one file of the project and what it imports.
type file struct {
	pkg     string // import path
	name    string // base name
	imports []string
}

func (f file) String() string {
	return strings.TrimPrefix(strings.TrimPrefix(f.pkg, module), "/") + "/" + f.name
}

// under reports whether a path is root or lies below it.
func under(path, root string) bool { return path == root || strings.HasPrefix(path, root+"/") }

// helper reports whether a package is for tests only: all of tests/, and those whose name ends in "test".
func helper(pkg string) bool { return under(pkg, module+"/tests") || strings.HasSuffix(pkg, "test") }

func in(roots ...string) func(file) bool {
	return func(f file) bool {
		return slices.ContainsFunc(roots, func(r string) bool { return under(f.pkg, r) })
	}
}

func paths(roots ...string) func(string) bool {
	return func(path string) bool {
		return slices.ContainsFunc(roots, func(r string) bool { return under(path, r) })
	}
}

var (
	fiber    = []string{"github.com/gofiber", "github.com/valyala/fasthttp", "github.com/danielgtaylor/huma"}
	gorm     = []string{"gorm.io"}
	goMail   = []string{"github.com/wneessen/go-mail", "github.com/emersion"}
	surfaces = []string{"public", "admin", "api", "callbacks"}
)

var rules = []rule{
	{
		name:     "main starts app and knows nothing else of the project",
		applies:  func(f file) bool { return f.pkg == module },
		forbids:  paths(module),
		unless:   []string{module + "/app"},
		question: "put it into package app",
	},
	{
		name:     "config imports nothing of the project",
		applies:  in(module + "/config"),
		forbids:  paths(module),
		question: "let app turn the value into what the other package needs",
	},
	{
		name: "only app reads config",
		applies: func(f file) bool {
			return f.pkg != module+"/app" && !under(f.pkg, module+"/config") && !under(f.pkg, module+"/tests")
		},
		forbids:  paths(module + "/config"),
		question: "pass the value as an argument from app/wire.go",
	},
	{
		name:     "models knows rows and databases, no work",
		applies:  in(module + "/models"),
		forbids:  paths(append([]string{module + "/app", campaigns, module + "/mailer"}, fiber...)...),
		unless:   []string{campaigns + "/clock"},
		question: "move the work into a package of campaigns",
	},
	{
		name:     "mailer knows neither rows nor campaigns",
		applies:  in(module + "/mailer"),
		forbids:  paths(append([]string{module + "/app", module + "/models", campaigns}, append(gorm, fiber...)...)...),
		question: "hand it a message",
	},
	{
		name:     "campaigns knows no web",
		applies:  in(campaigns),
		forbids:  paths(append([]string{module + "/app", "github.com/spf13/cobra"}, fiber...)...),
		question: "return a value or a fault; app makes a page of it",
	},
	{
		name: "only deliveries, inbound and mailings know mailer",
		applies: func(f file) bool {
			return under(f.pkg, campaigns) && !under(f.pkg, campaigns+"/deliveries") && !under(f.pkg, campaigns+"/inbound") && !under(f.pkg, campaigns+"/mailings")
		},
		forbids:  paths(append([]string{module + "/mailer"}, goMail...)...),
		question: "insert a delivery and register a renderer",
	},
	{
		name: "app reaches rows and mail through campaigns",
		applies: func(f file) bool {
			return under(f.pkg, module+"/app") && (f.pkg != module+"/app" || !slices.Contains([]string{"wire.go", "run.go"}, f.name))
		},
		forbids:  paths(append(gorm, goMail...)...),
		question: "write an operation in campaigns; only app/wire.go and app/run.go join the parts",
	},
	{
		name: "a surface knows no other surface, and not app",
		applies: func(f file) bool {
			return slices.ContainsFunc(surfaces, func(s string) bool { return under(f.pkg, module+"/app/"+s) })
		},
		forbids: func(path string) bool {
			return path == module+"/app" || slices.ContainsFunc(surfaces, func(s string) bool { return under(path, module+"/app/"+s) })
		},
		question: "share it in app/web or in an operation",
	},
	{
		name:    "what every surface shares knows no surface",
		applies: in(module+"/app/web", module+"/app/views", module+"/app/static", module+"/app/locales"),
		forbids: func(path string) bool {
			return path == module+"/app" || slices.ContainsFunc(surfaces, func(s string) bool { return under(path, module+"/app/"+s) })
		},
		question: "move it to the surface",
	},
	{
		name:    "what runs knows no test helper",
		applies: func(f file) bool { return !helper(f.pkg) },
		forbids: func(path string) bool {
			return path == "testing" || path == "net/http/httptest" || under(path, module) && helper(path)
		},
		question: "move it into the package that needs it, or into a _test.go file",
	},
	{
		name:     "one SQLite is linked",
		applies:  func(file) bool { return true },
		forbids:  paths("github.com/glebarez", "github.com/mattn/go-sqlite3", "gorm.io/driver/sqlite", "github.com/ncruces/go-sqlite3"),
		question: "use models/database",
	},
}

// check returns every import that breaks a rule.
func check(files []file) []string {
	broken := []string{}
	for _, f := range files {
		for _, path := range f.imports {
			for _, r := range rules {
				if path == f.pkg || !r.applies(f) || !r.forbids(path) || slices.Contains(r.unless, path) {
					continue
				}
				broken = append(broken, fmt.Sprintf("%s imports %s: %s; %s", f, path, r.name, r.question))
			}
			if why := climbs(f.pkg, path); why != "" {
				broken = append(broken, fmt.Sprintf("%s imports %s: %s", f, path, why))
			}
		}
	}
	return broken
}

// climbs says why a package of campaigns may not import another, or nothing.
func climbs(from, to string) string {
	if !under(from, campaigns) || !under(to, campaigns) || from == to {
		return ""
	}
	a, b := feature(from), feature(to)
	if a == b {
		return "" // a package and its own subfolder
	}
	high, low := level(a), level(b)
	switch {
	case high < 0:
		return fmt.Sprintf("%q has no level yet; give it one in tests/arch and in docs/architecture.md", a)
	case low < 0:
		return fmt.Sprintf("%q has no level yet; give it one in tests/arch and in docs/architecture.md", b)
	case low > high:
		return fmt.Sprintf("level %d may not import level %d; register a function in app/wire.go instead", high, low)
	case low == high && !slices.Contains(sameLevel[a], b):
		return fmt.Sprintf("both are of level %d, and the pair is not in sameLevel", high)
	}
	return ""
}

// feature is the name of a campaigns package: the folder below campaigns, empty for campaigns itself.
func feature(pkg string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(pkg, campaigns), "/"), "/")
	return name
}

func level(feature string) int {
	return slices.IndexFunc(levels, func(names []string) bool { return slices.Contains(names, feature) })
}

// listed is what `go list -json` says of a package.
type listed struct {
	ImportPath, Dir                              string
	GoFiles, TestGoFiles, XTestGoFiles, CgoFiles []string
}

// packages lists the project's packages.
func packages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Dir,GoFiles,CgoFiles,TestGoFiles,XTestGoFiles", "./...")
	cmd.Dir = "../.."
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, complaints.String())
	}
	all := []listed{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// sources reads the imports of every file that is not a test.
func sources(t *testing.T, all []listed) []file {
	t.Helper()
	files := []file{}
	for _, p := range all {
		for _, name := range p.GoFiles {
			parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			f := file{pkg: p.ImportPath, name: name}
			for _, spec := range parsed.Imports {
				path, err := strconv.Unquote(spec.Path.Value)
				if err != nil {
					t.Fatal(err)
				}
				f.imports = append(f.imports, path)
			}
			files = append(files, f)
		}
	}
	return files
}

func TestImportsPointDown(t *testing.T) {
	all := packages(t)
	files := sources(t, all)
	if len(files) < 10 {
		t.Fatalf("only %d files found", len(files))
	}
	for _, broken := range check(files) {
		t.Error(broken)
	}
	for _, p := range all {
		if len(p.CgoFiles) > 0 {
			t.Errorf("%s needs cgo: the program is built without", p.ImportPath)
		}
		if under(p.ImportPath, campaigns) && level(feature(p.ImportPath)) < 0 {
			t.Errorf("%s has no level: give it one here and in docs/architecture.md", p.ImportPath)
		}
	}
}

// TestRulesBite feeds one import that breaks each rule, and some that break none.
func TestRulesBite(t *testing.T) {
	for _, c := range []struct{ pkg, name, imports, says string }{
		{"", "main.go", "kithline/campaigns", "main starts app"},
		{"config", "load.go", "kithline/campaigns/fault", "config imports nothing"},
		{"app/web", "page.go", "kithline/config", "only app reads config"},
		{"campaigns/users", "users.go", "kithline/config", "only app reads config"},
		{"models", "petition.go", "kithline/campaigns/fault", "models knows rows"},
		{"mailer", "smtp.go", "gorm.io/gorm", "mailer knows neither"},
		{"mailer/templates", "x.go", "kithline/models", "mailer knows neither"},
		{"campaigns/petitions", "sign.go", "github.com/gofiber/fiber/v2", "campaigns knows no web"},
		{"campaigns/petitions", "sign.go", "kithline/app/web", "campaigns knows no web"},
		{"campaigns/petitions", "sign.go", "kithline/mailer", "only deliveries, inbound and mailings"},
		{"app", "app.go", "gorm.io/gorm", "app reaches rows"},
		{"app/admin", "wire.go", "gorm.io/gorm", "app reaches rows"},
		{"app/admin", "petitions.go", "github.com/wneessen/go-mail", "app reaches rows"},
		{"app/admin", "petitions.go", "kithline/app/public", "a surface knows no other"},
		{"app/public", "home.go", "kithline/app", "a surface knows no other"},
		{"app/web", "page.go", "kithline/app/admin", "knows no surface"},
		{"campaigns/demo", "demo.go", "kithline/tests/factory", "no test helper"},
		{"app/public", "home.go", "kithline/app/web/webtest", "no test helper"},
		{"app/public", "home.go", "testing", "no test helper"},
		{"app/web/webtest", "webtest.go", "testing", ""},
		{"models/database", "open.go", "github.com/glebarez/sqlite", "one SQLite"},
		{"campaigns/fault", "fault.go", "kithline/campaigns/vault", "level 0 may not import level 1"},
		{"campaigns/deliveries", "insert.go", "kithline/campaigns/consents", "level 1 may not import level 2"},
		{"campaigns", "publish.go", "kithline/campaigns/petitions", "level 3 may not import level 4"},
		{"campaigns/petitions", "sign.go", "kithline/campaigns/mailings", "level 4 may not import level 5"},
		{"campaigns/petitions", "sign.go", "kithline/campaigns/letters", "not in sameLevel"},
		{"campaigns/vault", "vault.go", "kithline/campaigns/deliveries", "not in sameLevel"},
		{"campaigns/petitions", "sign.go", "kithline/campaigns/sundries", "no level yet"},
		{"app", "wire.go", "gorm.io/gorm", ""},
		{"app", "commands.go", "kithline/config", ""},
		{"campaigns/petitions", "sign.go", "kithline/campaigns", ""},
		{"campaigns/deliveries", "work.go", "kithline/mailer", ""},
		{"campaigns/deliveries", "insert.go", "kithline/campaigns/jobs", ""},
		{"campaigns/petitions", "sign.go", "kithline/models", ""},
		{"tests/testapp", "testapp.go", "kithline/config", ""},
	} {
		f := file{pkg: strings.TrimSuffix(module+"/"+c.pkg, "/"), name: c.name, imports: []string{c.imports}}
		got := check([]file{f})
		switch {
		case c.says == "" && len(got) > 0:
			t.Errorf("%s may import %s, but: %v", f, c.imports, got)
		case c.says != "" && !strings.Contains(strings.Join(got, "\n"), c.says):
			t.Errorf("%s imports %s: want %q, got %v", f, c.imports, c.says, got)
		}
	}
}

// TestSameLevelHasNoCircle: two packages of a floor never lead back to each other.
func TestSameLevelHasNoCircle(t *testing.T) {
	var walk func(name string, way []string)
	walk = func(name string, way []string) {
		if slices.Contains(way, name) {
			t.Fatalf("a circle: %v", append(way, name))
		}
		for _, next := range sameLevel[name] {
			walk(next, append(slices.Clone(way), name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(sameLevel)) {
		walk(name, nil)
		for _, next := range sameLevel[name] {
			if level(next) < 0 || level(next) != level(name) {
				t.Errorf("%s and %s are not of one level", name, next)
			}
		}
	}
}

// TestEveryPackageIsDescribed: docs/architecture.md names each folder of the top and each package of campaigns and app.
func TestEveryPackageIsDescribed(t *testing.T) {
	page, err := os.ReadFile("../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	words := strings.FieldsFunc(string(page), func(r rune) bool { return strings.ContainsRune(" \n|`,;:()", r) })
	named := map[string]bool{}
	for _, w := range words {
		named[strings.Trim(w, "./")] = true
	}
	for _, p := range packages(t) {
		parts := strings.Split(strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/"), "/")
		if parts[0] == "" {
			continue
		}
		if !named[parts[0]] {
			t.Errorf("docs/architecture.md does not name %s/", parts[0])
		}
		if len(parts) > 1 && !named[parts[1]] && !named[strings.Join(parts[:2], "/")] {
			t.Errorf("docs/architecture.md does not name %s", strings.Join(parts[:2], "/"))
		}
	}
}

// TestLogLinesAreExplained: an operator finds every warning and error of the log in docs/operations.md.
func TestLogLinesAreExplained(t *testing.T) {
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	calls := regexp.MustCompile(`(?i:log|logger)\.(?:Warn|Error)(?:Context)?\((?:[^"\n]*, )?"([^"]+)"`)
	seen := 0
	for _, p := range packages(t) {
		if under(p.ImportPath, module+"/tests") {
			continue
		}
		for _, name := range p.GoFiles {
			text, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range calls.FindAllSubmatch(text, -1) {
				seen++
				if !strings.Contains(string(page), "`"+string(m[1])+"`") {
					t.Errorf("%s/%s logs %q: add it to the table of log lines in docs/operations.md", p.ImportPath, name, m[1])
				}
			}
		}
	}
	if seen == 0 {
		t.Error("no log line found: the pattern above no longer fits the code")
	}
}
