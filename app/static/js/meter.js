/* Shows how much of a letter is the writer's own while it is written: <textarea id="own_words"> and
   <div data-meter-of="own_words" data-given="57" data-none=".." data-some=".." data-half=".." data-most="..">, which holds a meter and a
   line that is read out. The meter follows each key, the line only a pause. Words are counted as on the server: what stands between
   spaces and has a letter or a digit. Nothing leaves the page. Without this script both say how it was when the page came. */
(function () {
  'use strict';
  Array.prototype.forEach.call(document.querySelectorAll('[data-meter-of]'), function (box) {
    var field = document.getElementById(box.dataset.meterOf), meter = box.querySelector('meter'), line = box.querySelector('[role=status]'), timer;
    if (!field || !meter || !line) return;
    function share() {
      var own = field.value.split(/\s+/).filter(function (w) { return /[\p{L}\p{N}]/u.test(w); }).length, given = +box.dataset.given;
      return own ? Math.floor((100 * own + Math.floor((own + given) / 2)) / (own + given)) : 0;
    }
    function show() {
      var n = share();
      meter.value = n;
      clearTimeout(timer);
      timer = setTimeout(function () {
        var text = box.dataset[n === 0 ? 'none' : n < 25 ? 'some' : n < 60 ? 'half' : 'most'];
        if (line.textContent !== text) line.textContent = text;
      }, 1500);
    }
    field.addEventListener('input', show);
    if (share() !== meter.value) show(); // what the browser kept came back
  });
})();
