package print

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestLevelsAreUnicodes runs the standard's own table of 91,707 cases; go-text brings it along for its tests.
func TestLevelsAreUnicodes(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/go-text/typesetting").Output()
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(filepath.Join(strings.TrimSpace(string(dir)), "bidi", "test", "BidiCharacterTest.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cases, wrong := 0, 0
	for lines := bufio.NewScanner(file); lines.Scan(); {
		line := lines.Text()
		fields := strings.Split(line, ";")
		if len(fields) < 5 || strings.HasPrefix(line, "#") {
			continue
		}
		var text []rune
		for code := range strings.FieldsSeq(fields[0]) {
			r, err := strconv.ParseUint(code, 16, 32)
			if err != nil {
				t.Fatal(line)
			}
			text = append(text, rune(r))
		}
		got, base := resolve(text, map[string]int8{"0": 0, "1": 1, "2": -1}[fields[1]])
		ok := strconv.Itoa(int(base)) == fields[2]
		for i, want := range strings.Fields(fields[3]) {
			ok = ok && (want == "x" || want == strconv.Itoa(int(got[i])))
		}
		cases++
		if !ok {
			if wrong++; wrong < 10 {
				t.Errorf("%s: got %v in a paragraph of %d", line, got, base)
			}
		}
	}
	if cases < 90_000 || wrong > 0 {
		t.Errorf("%d of %d cases are wrong", wrong, cases)
	}
}
