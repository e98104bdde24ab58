package browser

import (
	"flag"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

var screens = flag.String("screens", "", "a folder for pictures of every page: go test ./tests/browser -run TestScreens -screens DIR")

// TestScreens is for people: it writes a picture of one page of each kind, 320 and 1280 pixels wide, light and dark.
func TestScreens(t *testing.T) {
	if *screens == "" {
		t.Skip("skipped: no folder for pictures; give one with -screens DIR")
	}
	if err := os.MkdirAll(*screens, 0o755); err != nil {
		t.Fatal(err)
	}
	w := full(t)
	tab := New(t, w.URL)
	taken := map[string]int{}
	take := func(string) {
		t.Helper()
		u, err := url.Parse(tab.Address(tab.Path()))
		if err != nil {
			t.Fatal(err)
		}
		name := strings.Trim(strings.NewReplacer("/", "-", ":", "", "?", "-", "&", "-").Replace(kind(u)), "-")
		if name == "" {
			name = "home"
		}
		if taken[name]++; taken[name] > 1 {
			name += "-" + strconv.Itoa(taken[name])
		}
		for _, size := range []Size{Phone, Desk} {
			for _, scheme := range []string{"light", "dark"} {
				file := filepath.Join(*screens, name+"-"+size.String()+"-"+scheme+".png")
				if err := os.WriteFile(file, tab.Picture(size, scheme), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	w.walk(t, tab, w.Client(t), take, public, append([]string{"/petitions/" + w.slug, "/petitions/" + w.pressed, "/admin/login"}, publicStart...)...)
	w.signIn(tab)
	trust := "/admin/petitions/" + w.trouble.String() + "/trust"
	w.walk(t, tab, w.Owner(t), take, organizers, append([]string{trust, trust + "/out?domain=wave.example&do=count"}, organizersStart...)...)
}
