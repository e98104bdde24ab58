// Package browser tests the site as people meet it: in a real browser, at the width of a small phone and of a desk, light
// and dark, with and without JavaScript, by keyboard alone, with the accessibility rules of axe-core run on every page.
//
// browser.go finds and starts Chromium, tab.go is a page being used, watch.go notes what a page does that it must not,
// axe.go asks the accessibility rules; world_test.go is the site under test.
//
// The browser is taken from KITHLINE_TEST_CHROMIUM or from the PATH. Without one the tests are skipped and say so; with
// KITHLINE_TEST_BROWSER=required they fail.
package browser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"kithline/tests/skipped"
)

// Tabs is how many pages are used at once: one for each core of the smallest machine that the tests are meant for.
const Tabs = 2

// process is the one browser of a test binary.
type process struct {
	once sync.Once
	ctx  context.Context
	stop func()
	err  error
}

var (
	chromium process
	turn     = make(chan struct{}, Tabs)
)

// Main runs a binary's tests and ends the browser after them: func TestMain(m *testing.M) { os.Exit(browser.Main(m)) }.
func Main(m *testing.M) int {
	code := m.Run()
	if chromium.stop != nil {
		chromium.stop()
	}
	return code
}

var errNone = errors.New("no Chromium: none at KITHLINE_TEST_CHROMIUM and none named chromium, chromium-browser, google-chrome or google-chrome-stable in the PATH")

// find returns the path of a browser.
func find() (string, error) {
	if p := os.Getenv("KITHLINE_TEST_CHROMIUM"); p != "" {
		found, err := exec.LookPath(p)
		if err != nil {
			return "", fmt.Errorf("KITHLINE_TEST_CHROMIUM: %w", err)
		}
		return found, nil
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if p, err := exec.LookPath(name); err == nil {
			return p, nil
		}
	}
	return "", errNone
}

// start starts the browser once.
func (p *process) start() error {
	p.once.Do(func() {
		path, err := find()
		if err != nil {
			p.err = err
			return
		}
		home, err := os.MkdirTemp("", "kithline-browser")
		if err != nil {
			p.err = err
			return
		}
		opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.UserDataDir(filepath.Join(home, "profile")),
			chromedp.Flag("headless", "new"), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-quic", true),
			chromedp.Flag("disable-component-update", true), chromedp.Flag("no-proxy-server", true), chromedp.Flag("mute-audio", true))
		all, endProcess := chromedp.NewExecAllocator(context.Background(), opts...)
		ctx, endFirstTab := chromedp.NewContext(all)
		p.ctx = ctx
		p.stop = func() {
			bye, cancel := context.WithTimeout(ctx, 10*time.Second)
			defer cancel()
			_ = chromedp.Cancel(bye) // it is killed below if it does not want to go
			endFirstTab()
			endProcess()
			_ = os.RemoveAll(home)
		}
		p.err = chromedp.Do(ctx)
	})
	return p.err
}

// need starts the browser or ends the test.
func need(t testing.TB) {
	t.Helper()
	err := chromium.start()
	if err == nil {
		return
	}
	if errors.Is(err, errNone) {
		skipped.For(t, "Chromium", "KITHLINE_TEST_BROWSER", err.Error())
	}
	t.Fatal(err)
}
