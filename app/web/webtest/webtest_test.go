package webtest

import (
	"strings"
	"testing"
)

func TestProblemsFindsEachKind(t *testing.T) {
	good := `<!doctype html><html lang="en"><title>A</title><main><h1>A</h1><label for="x">X</label><input id="x"></main>`
	if p := Problems(good); len(p) != 0 {
		t.Fatalf("a good page: %v", p)
	}
	for name, c := range map[string]struct{ from, to, want string }{
		"style":     {"<h1>", `<h1 style="x">`, "inline attribute style"},
		"handler":   {"<h1>", `<h1 onclick="x">`, "inline attribute onclick"},
		"script":    {"</main>", `</main><script>1</script>`, "script inside"},
		"twice":     {"<h1>", `<h1 id="x">`, "stands 2 times"},
		"label":     {`for="x"`, `for="y"`, `"y", which is not there`},
		"no label":  {`<label for="x">X</label>`, ``, "has no label"},
		"described": {`<input`, `<input aria-describedby="z"`, `"z", which is not there`},
		"heading":   {"<h1>A</h1>", "", "0 first headings"},
		"title":     {"<title>A", "<title>", "title is"},
		"refused":   {"<h1>A", "<h1>ZgotmplZ", "ZgotmplZ"},
		"lang":      {` lang="en"`, "", "no lang"},
		"image":     {"<h1>", `<img src="/x"><h1>`, "no alt"},
	} {
		got := strings.Join(Problems(strings.Replace(good, c.from, c.to, 1)), "; ")
		if !strings.Contains(got, c.want) {
			t.Errorf("%s: no %q in %q", name, c.want, got)
		}
	}
}
