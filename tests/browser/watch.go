package browser

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Alarm is the name of a function that every page has in these tests. Nothing of the site calls it: a call is a script
// that came in with somebody's text.
const Alarm = "kithlineAlarm"

// watch notes what a page does, in the order in which it happens.
type watch struct {
	mu       sync.Mutex
	origin   string
	faults   []string
	requests []string
	bytes    map[network.RequestID]float64
	kinds    map[network.RequestID]network.ResourceType
	quiet    chan struct{} // closed once nothing was asked for during half a second
}

func newWatch(origin string) *watch {
	w := &watch{origin: origin}
	w.reset()
	return w
}

// reset forgets what was noted, at the beginning of a page that is measured.
func (w *watch) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults, w.requests, w.bytes, w.kinds = nil, nil, map[network.RequestID]float64{}, map[network.RequestID]network.ResourceType{}
	w.quiet = make(chan struct{})
}

// take returns the faults so far and forgets them.
func (w *watch) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.faults
	w.faults = nil
	return out
}

// weight returns the bytes that came over the wire since reset, headers included, and the addresses asked for, once nothing
// more is asked for.
func (w *watch) weight(ctx context.Context) (total int, asked []string, err error) {
	w.mu.Lock()
	quiet := w.quiet
	w.mu.Unlock()
	select {
	case <-quiet:
	case <-ctx.Done():
		return 0, nil, ctx.Err()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range w.bytes {
		total += int(n)
	}
	return total, append([]string(nil), w.requests...), nil
}

// begin makes the tab tell what it does.
func (w *watch) begin(ctx context.Context) error {
	target := chromedp.FromContext(ctx)
	return chromedp.Do(ctx, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		if err := chromedp.Listen(ctx, func(ev any) { w.see(ctx, target, ev) }); err != nil {
			return err
		}
		if _, err := cdp.Call(ctx, t, audits.Enable, cdp.Empty{}); err != nil {
			return err
		}
		_, err := cdp.Call(ctx, t, runtime.AddBinding, runtime.AddBindingParams{Name: Alarm})
		return err
	}))
}

// own reports whether an address belongs to the site, or leaves the machine nowhere at all.
func (w *watch) own(address string) bool {
	if address == "about:blank" || strings.HasPrefix(address, "data:") || strings.HasPrefix(address, "blob:"+w.origin+"/") {
		return true
	}
	u, err := url.Parse(address)
	return err == nil && u.Scheme+"://"+u.Host == w.origin
}

func (w *watch) see(ctx context.Context, target *chromedp.Context, ev any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fault := func(format string, args ...any) { w.faults = append(w.faults, fmt.Sprintf(format, args...)) }
	switch ev := ev.(type) {
	case *network.EventRequestWillBeSent:
		w.requests = append(w.requests, ev.Request.URL)
		w.kinds[ev.RequestID] = ev.Type
		if !w.own(ev.Request.URL) {
			fault("asked another site: %s", ev.Request.URL)
		}
	case *network.EventWebSocketCreated:
		fault("opened a web socket: %s", ev.URL)
	case *network.EventResponseReceived:
		if ev.Type != network.ResourceTypeDocument && ev.Response.Status >= 400 {
			fault("%s answered %d", ev.Response.URL, ev.Response.Status)
		}
	case *network.EventLoadingFinished:
		w.bytes[ev.RequestID] += ev.EncodedDataLength
	case *network.EventLoadingFailed:
		if ev.BlockedReason != "" {
			fault("a request was blocked: %s", ev.BlockedReason)
		} else if !ev.Canceled && w.kinds[ev.RequestID] != network.ResourceTypeDocument {
			fault("a request failed: %s", ev.ErrorText)
		}
	case *page.EventLifecycleEvent:
		if ev.Name == "networkIdle" && len(w.requests) > 0 {
			select {
			case <-w.quiet:
			default:
				close(w.quiet)
			}
		}
	case *runtime.EventConsoleAPICalled:
		if ev.Type == runtime.ConsoleAPICalledTypeError || ev.Type == runtime.ConsoleAPICalledTypeAssert || ev.Type == runtime.ConsoleAPICalledTypeWarning {
			fault("console.%s: %s", ev.Type, said(ev.Args))
		}
	case *runtime.EventExceptionThrown:
		text := ev.ExceptionDetails.Text
		if x := ev.ExceptionDetails.Exception; x != nil {
			text += " " + x.Description
		}
		fault("a script failed: %s", text)
	case *runtime.EventBindingCalled:
		if ev.Name == Alarm {
			fault("a script from somebody's text ran: %s", ev.Payload)
		}
	case *log.EventEntryAdded:
		// Answers with an error status are read above, where it is known what was asked for.
		if e := ev.Entry; e.Source != log.EntrySourceNetwork && (e.Level == log.EntryLevelError || e.Level == log.EntryLevelWarning) {
			fault("the browser's log: %s", e.Text)
		}
	case *audits.EventIssueAdded:
		if i := ev.Issue; i.Code == audits.InspectorIssueCodeContentSecurityPolicyIssue && i.Details.ContentSecurityPolicyIssueDetails != nil {
			d := i.Details.ContentSecurityPolicyIssueDetails
			fault("against the content security policy: %s %s", d.ViolatedDirective, d.BlockedURL)
		}
	case *page.EventJavascriptDialogOpening:
		fault("a dialog opened: %s", ev.Message)
		go func() { // not in the loop that reads the answer
			_, _ = cdp.Call(ctx, target.Target, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true})
		}()
	}
}

// said is what a script wrote to the console.
func said(args []*runtime.RemoteObject) string {
	out := make([]string, 0, len(args))
	for _, a := range args {
		if a.Description != "" {
			out = append(out, a.Description)
			continue
		}
		out = append(out, strings.Trim(string(a.Value), `"`))
	}
	return strings.Join(out, " ")
}
