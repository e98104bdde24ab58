package browser

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// patience is how long one step may take on a busy machine.
const patience = 30 * time.Second

// Tab is a page being used: with cookies and storage of its own, as in a private window.
type Tab struct {
	t       testing.TB
	origin  string
	ctx     context.Context
	watch   *watch
	scripts bool
	Status  int // of the page that is shown
}

// Size is a window.
type Size struct {
	Width, Height int64 // CSS pixels
}

func (s Size) String() string { return fmt.Sprint(s.Width) }

// The windows that every page is looked at in: the smallest phone, which is also a desk at 400 % zoom, and a desk.
var (
	Phone = Size{320, 800}
	Desk  = Size{1280, 900}
)

// New opens an empty tab for the site at origin. Whatever a page does that it must not (see watch) fails the test, at the
// latest at its end. At most Tabs are open at once: open one per test and do not wait for another test while you have it.
func New(t testing.TB, origin string) *Tab {
	t.Helper()
	need(t)
	turn <- struct{}{}
	ctx, end := chromedp.NewContext(chromium.ctx, chromedp.WithNewBrowserContext())
	tab := &Tab{t: t, origin: origin, ctx: ctx, watch: newWatch(origin), scripts: true}
	t.Cleanup(func() {
		tab.Clean()
		end()
		<-turn
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	if err := tab.watch.begin(ctx); err != nil {
		t.Fatal(err)
	}
	tab.Look(Desk, "light")
	return tab
}

// call sends one command of the DevTools protocol.
func call[P, R any](cmd cdp.Command[P, R], p P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, cmd, p)
		return err
	})
}

func run[T any](tab *Tab, a chromedp.Action[T]) T {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, a)
	if err != nil {
		for _, f := range tab.watch.take() {
			tab.t.Error(f)
		}
		tab.t.Fatalf("%v; the page is %s", err, tab.where())
	}
	return v
}

// where says what is shown, for a failure.
func (tab *Tab) where() string {
	ctx, cancel := context.WithTimeout(tab.ctx, 2*time.Second)
	defer cancel()
	s, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.pathname + ': ' + (document.querySelector('main') || document.body).innerText.slice(0, 600)`))
	if err != nil {
		return "unknown: " + err.Error()
	}
	return strings.Join(strings.Fields(s), " ")
}

func (tab *Tab) do(steps ...chromedp.Action[chromedp.Void]) {
	tab.t.Helper()
	run(tab, chromedp.Steps(steps...))
}

// Eval returns the value of a JavaScript expression in the page; a promise is waited for. It works where the page's own
// scripts are off: they are let run for that long, and those that were not loaded with the page stay unloaded.
func Eval[T any](tab *Tab, expr string) T {
	tab.t.Helper()
	if !tab.scripts {
		tab.do(call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{}))
		defer tab.do(call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}))
	}
	return run(tab, chromedp.Evaluate[T](expr, chromedp.EvalAwaitPromise))
}

// Scripts switches the site's scripts off and on, from the next page on.
func (tab *Tab) Scripts(on bool) {
	tab.t.Helper()
	tab.scripts = on
	tab.do(call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on}))
}

// Look gives the window a size and the person a liking for light or dark.
func (tab *Tab) Look(s Size, scheme string) {
	tab.t.Helper()
	tab.do(
		call(emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
			Width: s.Width, Height: s.Height, DeviceScaleFactor: 1, Mobile: s.Width == Phone.Width,
		}),
		call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}}),
	)
}

// Address makes a path an address of the site.
func (tab *Tab) Address(path string) string {
	if strings.HasPrefix(path, "http://") || strings.HasPrefix(path, "https://") {
		return path
	}
	return tab.origin + path
}

// Open goes to a path and returns its status.
func (tab *Tab) Open(path string) int {
	tab.t.Helper()
	return tab.arrived(run(tab, chromedp.NavigateResponse(tab.Address(path))))
}

func (tab *Tab) arrived(r *network.Response) int {
	tab.t.Helper()
	tab.Status = 0
	if r != nil {
		tab.Status = int(r.Status)
	}
	tab.painted() // what has autofocus gets it then, which is after the page is loaded
	return tab.Status
}

// Want fails the test unless the page that is shown came with the status, at a path that begins so.
func (tab *Tab) Want(status int, path string) *Tab {
	tab.t.Helper()
	if tab.Status != status || !strings.HasPrefix(tab.Path(), path) {
		tab.t.Fatalf("%d at %s, not %d at %s: %s", tab.Status, tab.Path(), status, path, tab.where())
	}
	return tab
}

// Press clicks what the selector finds first and waits for the page that it leads to.
func (tab *Tab) Press(selector string) int {
	tab.t.Helper()
	tab.reach(selector)
	return tab.arrive(chromedp.Click(chromedp.CSS(selector)))
}

// reach brings what the selector finds first into view and waits until it is painted there: a click goes to what was painted last at
// its place, and that may be a frame which was there before the page moved.
func (tab *Tab) reach(selector string) {
	tab.t.Helper()
	tab.do(chromedp.WaitVisible(chromedp.CSS(selector)))
	if Eval[bool](tab, fmt.Sprintf(`(function (e) { var y = scrollY; e.scrollIntoView({ block: 'nearest', behavior: 'instant' }); return scrollY !== y; })(document.querySelector(%q))`, selector)) {
		tab.painted()
	}
}

// arrive does something that leads to another page and waits for that.
func (tab *Tab) arrive(steps ...chromedp.Action[chromedp.Void]) int {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	r, err := chromedp.RunResponse(ctx, steps...)
	if err != nil {
		tab.t.Fatalf("%v; the page is %s", err, tab.where())
	}
	return tab.arrived(r)
}

// Click clicks what the selector finds first, which leads to no other page.
func (tab *Tab) Click(selector string) {
	tab.t.Helper()
	tab.reach(selector)
	tab.do(chromedp.Click(chromedp.CSS(selector)))
}

// Fill puts a text into a field, in place of what was there, as if it had been typed.
func (tab *Tab) Fill(selector, text string) {
	tab.t.Helper()
	tab.do(chromedp.Focus(chromedp.CSS(selector)))
	Eval[bool](tab, `(document.activeElement.select(), true)`)
	tab.do(call(input.InsertText, input.InsertTextParams{Text: text}))
	if got := tab.Value(selector); strings.TrimSpace(got) != strings.TrimSpace(text) {
		tab.t.Fatalf("%s holds %q after typing %q", selector, got, text)
	}
}

// keys presses keys where the focus is. A key goes down as a keyboard sends it: then, as with a keyboard, the letter of a key
// that did its work already (Enter on a link) does not go to whatever has the focus after it.
func keys(s string, o ...chromedp.KeyOption) chromedp.Action[chromedp.Void] {
	raw := func(p *input.DispatchKeyEventParams) {
		if p.Type == input.DispatchKeyEventTypeKeyDown {
			p.Type = input.DispatchKeyEventTypeRawKeyDown
		}
	}
	return chromedp.KeyEvent(s, append(o, raw)...)
}

// Keys presses keys where the focus is; see chromedp/kb for those without a letter.
func (tab *Tab) Keys(s string, o ...chromedp.KeyOption) {
	tab.t.Helper()
	tab.do(keys(s, o...))
}

// KeysAway presses keys that lead to another page, and waits for that.
func (tab *Tab) KeysAway(s string) int {
	tab.t.Helper()
	return tab.arrive(keys(s))
}

// Value is what a field holds.
func (tab *Tab) Value(selector string) string {
	tab.t.Helper()
	return Eval[string](tab, `(document.querySelector(`+quote(selector)+`) || {value: '(no such field)'}).value`)
}

// Has reports whether the page has such an element.
func (tab *Tab) Has(selector string) bool {
	tab.t.Helper()
	return Eval[bool](tab, `!!document.querySelector(`+quote(selector)+`)`)
}

// Text is the text of an element as it can be read, white space folded; "" without the element.
func (tab *Tab) Text(selector string) string {
	tab.t.Helper()
	return strings.Join(strings.Fields(Eval[string](tab, `(document.querySelector(`+quote(selector)+`) || {innerText: ''}).innerText`)), " ")
}

// Attr is an attribute of an element, "" where there is none.
func (tab *Tab) Attr(selector, name string) string {
	tab.t.Helper()
	return Eval[string](tab, `(document.querySelector(`+quote(selector)+`)?.getAttribute(`+quote(name)+`)) || ''`)
}

// Path is where the tab is, without the site and the fragment.
func (tab *Tab) Path() string {
	tab.t.Helper()
	u, err := url.Parse(Eval[string](tab, `location.href`))
	if err != nil {
		tab.t.Fatal(err)
	}
	return u.RequestURI()
}

// Until waits until a JavaScript expression is true in the page, also if the page is replaced by another meanwhile.
func (tab *Tab) Until(expr string) {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	wait := chromedp.Evaluate[bool](waitFor(expr), chromedp.EvalAwaitPromise)
	for {
		_, err := chromedp.Run(ctx, wait)
		if err == nil {
			return
		}
		if ctx.Err() != nil || !replaced(err) {
			tab.t.Fatalf("%v: %s; the page is %s", err, expr, tab.where())
		}
	}
}

// Frame is the page's frame from the site at origin, to look into: a page of its own. A frame of another site is a process of its own
// in the browser: what the page around it was told, a key press too, reaches it a moment later. It cannot be given a size.
func (tab *Tab) Frame(origin string) *Tab {
	tab.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); tab.painted() {
		frames, err := chromedp.Targets(tab.ctx)
		if err != nil {
			tab.t.Fatal(err)
		}
		for _, f := range frames {
			if f.Type != "iframe" || !strings.HasPrefix(f.URL, origin+"/") {
				continue
			}
			ctx, leave := chromedp.NewContext(tab.ctx, chromedp.WithTargetID(f.TargetID))
			tab.t.Cleanup(leave) // it closes the page
			frame := &Tab{t: tab.t, origin: origin, ctx: ctx, watch: newWatch(origin), scripts: true}
			if err := chromedp.Do(ctx); err != nil {
				tab.t.Fatal(err)
			}
			if err := frame.watch.begin(ctx); err != nil {
				tab.t.Fatal(err)
			}
			return frame
		}
	}
	tab.t.Fatalf("no frame of %s in %s", origin, tab.where())
	return nil
}

// InFrame waits until a JavaScript expression is true in the page's frame from the site at origin.
func (tab *Tab) InFrame(origin, expr string) {
	tab.t.Helper()
	tab.Frame(origin).Until(expr)
}

// waitFor is a promise that is kept once a JavaScript expression is true.
func waitFor(expr string) string {
	return `new Promise(done => { (function look() { let so = false; try { so = ` + expr + `; } catch {} so ? done(true) : setTimeout(look, 20); })(); })`
}

// replaced reports whether an answer did not come because the page it was asked of is gone.
func replaced(err error) bool {
	for _, gone := range []string{"navigated or closed", "context was destroyed", "Cannot find context", "Promise was collected"} {
		if strings.Contains(err.Error(), gone) {
			return true
		}
	}
	return false
}

// Weigh opens a path and returns how many bytes came over the wire for it and all it loads, headers included, and the
// addresses that were asked for.
func (tab *Tab) Weigh(path string) (bytes int, asked []string) {
	tab.t.Helper()
	tab.watch.reset()
	tab.Open(path)
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	bytes, asked, err := tab.watch.weight(ctx)
	if err != nil {
		tab.t.Fatal(err)
	}
	return bytes, asked
}

// Show puts HTML into an empty page that forbids nothing, as a careless mail program would.
func (tab *Tab) Show(html string) {
	tab.t.Helper()
	tab.do(chromedp.Navigate("about:blank"), chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		tree, err := cdp.Call(ctx, t, page.GetFrameTree, cdp.Empty{})
		if err != nil {
			return err
		}
		_, err = cdp.Call(ctx, t, page.SetDocumentContent, page.SetDocumentContentParams{FrameID: tree.FrameTree.Frame.ID, HTML: html})
		return err
	}))
}

// Picture is a picture of the whole page as PNG. The window becomes as high as the page for it: what stands in frames below
// the window is not painted.
func (tab *Tab) Picture(s Size, scheme string) []byte {
	tab.t.Helper()
	tab.Look(s, scheme)
	s.Height = max(s.Height, Eval[int64](tab, `document.scrollingElement.scrollHeight`))
	tab.Look(s, scheme)
	tab.painted()
	return run(tab, chromedp.CaptureScreenshot())
}

// Print is the page as a PDF, as it goes to paper of the size that it asks for.
func (tab *Tab) Print() string {
	tab.t.Helper()
	var pdf string
	tab.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		r, err := cdp.Call(ctx, t, page.PrintToPDF, page.PrintToPDFParams{PreferCSSPageSize: new(true), PrintBackground: new(true)})
		if err == nil {
			pdf = string(r.Data)
		}
		return err
	}))
	return pdf
}

// painted waits until the page is painted as it is now.
func (tab *Tab) painted() {
	tab.t.Helper()
	Eval[bool](tab, `new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))`)
}

// Clean fails the test for whatever the page did since the last call that it must not.
func (tab *Tab) Clean() {
	tab.t.Helper()
	for _, f := range tab.watch.take() {
		tab.t.Error(f)
	}
}

// quote writes a text as a JavaScript string.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "<", `\x3c`).Replace(s) + `"`
}

// looks are the ways in which Check asks the rules of accessibility: each size and each scheme once, or all four with
// KITHLINE_TEST_LOOKS=all.
func looks() []look {
	if os.Getenv("KITHLINE_TEST_LOOKS") == "all" {
		return []look{{Phone, "light"}, {Phone, "dark"}, {Desk, "light"}, {Desk, "dark"}}
	}
	return []look{{Phone, "light"}, {Desk, "dark"}}
}

type look struct {
	size   Size
	scheme string
}

// Check looks at the page in both windows, light and dark: no rule of accessibility is broken, nothing has to be scrolled
// sideways, there is one heading of the first level and a title, and the page did nothing that it must not. name is for
// the failure's message.
func (tab *Tab) Check(name string) {
	tab.t.Helper()
	tab.Glance(name)
	found := map[string]*Violation{}
	at := map[string][]string{}
	order := []string{}
	for _, l := range looks() {
		tab.Look(l.size, l.scheme)
		for _, v := range tab.Axe() {
			if found[v.Rule] == nil {
				found[v.Rule] = &v
				order = append(order, v.Rule)
			}
			at[v.Rule] = append(at[v.Rule], fmt.Sprint(l.size, " ", l.scheme))
		}
	}
	for _, rule := range order {
		tab.t.Errorf("%s (%s) at %s: %s", name, tab.Path(), strings.Join(at[rule], ", "), found[rule])
	}
	tab.Clean()
}

// Glance is the part of Check that asks no rules of accessibility.
func (tab *Tab) Glance(name string) {
	tab.t.Helper()
	problem := func(format string, args ...any) {
		tab.t.Helper()
		tab.t.Errorf("%s (%s): %s", name, tab.Path(), fmt.Sprintf(format, args...))
	}
	tab.Look(Phone, "light")
	head := Eval[struct {
		Title string
		H1    int
		Lang  string
	}](tab, `({Title: document.title.trim(), H1: document.querySelectorAll('h1').length, Lang: document.documentElement.lang})`)
	if head.Title == "" || strings.HasPrefix(head.Title, "- ") {
		problem("the title is %q", head.Title)
	}
	if head.H1 != 1 {
		problem("%d headings of the first level, not 1", head.H1)
	}
	if head.Lang == "" {
		problem("no language")
	}
	if wide := tab.sideways(); wide != "" {
		problem("has to be scrolled sideways: %s", wide)
	}
	tab.Clean()
}

// sideways names what is wider than the window, "" for nothing.
func (tab *Tab) sideways() string {
	tab.t.Helper()
	return Eval[string](tab, `(() => {
		const most = `+fmt.Sprint(Phone.Width)+`, page = document.scrollingElement;
		if (page.scrollWidth <= most) return '';
		const wide = [...document.body.querySelectorAll('*')].filter(e => e.getBoundingClientRect().right > most + 0.5 ||
			e.scrollWidth > e.clientWidth + 1 && e.getBoundingClientRect().left + e.scrollWidth > most && getComputedStyle(e).overflowX === 'visible');
		const last = wide.filter(e => !wide.some(f => f !== e && e.contains(f)));
		return page.scrollWidth + ' pixels; ' + last.slice(0, 4).map(e => e.tagName.toLowerCase() + (e.className ? '.' + e.className : '') + ' "' + (e.textContent || '').trim().slice(0, 30) + '"').join(', ');
	})()`)
}
