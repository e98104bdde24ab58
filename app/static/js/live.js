/* Numbers of a page that follow by themselves: <div data-live="/admin/petitions/ID/live"> with elements data-live-n="NAME" inside,
   and one data-live-say that is told to screen readers now and then. The server sends {"NAME": "1,234", "say": "..."}. */
(function () {
  'use strict';
  if (!window.EventSource) return;
  Array.prototype.forEach.call(document.querySelectorAll('[data-live]'), function (part) {
    var source = new EventSource(part.dataset.live), say = part.querySelector('[data-live-say]'), told = 0, first = true, timer;
    function tell(text) {
      clearTimeout(timer);
      if (first) { first = false; return; }
      timer = setTimeout(function () { told = Date.now(); say.textContent = text; }, Math.max(0, told + 15000 - Date.now()));
    }
    source.addEventListener('numbers', function (event) {
      var now = JSON.parse(event.data);
      Array.prototype.forEach.call(part.querySelectorAll('[data-live-n]'), function (e) {
        var v = now[e.dataset.liveN];
        if (v !== undefined && e.textContent !== v) e.textContent = v;
      });
      if (say && now.say) tell(now.say);
    });
    source.addEventListener('end', function () { source.close(); });
    window.addEventListener('pagehide', function () { source.close(); });
  });
})();
