/* Says how many characters are left: <input maxlength="80" data-left="{n} left">. The number stands below the field and follows
   each key; it is read out only when typing rests and little is left. Without this script the hint says the limit. */
(function () {
  'use strict';
  Array.prototype.forEach.call(document.querySelectorAll('[data-left][maxlength]'), function (field) {
    var most = +field.getAttribute('maxlength'), seen = document.createElement('p'), heard = document.createElement('p'), timer;
    seen.className = 'small soft';
    seen.setAttribute('aria-hidden', 'true');
    heard.className = 'hide';
    heard.setAttribute('role', 'status');
    field.insertAdjacentElement('afterend', heard);
    field.insertAdjacentElement('afterend', seen);
    function say(typing) {
      var left = most - Array.from(field.value.replace(/\r\n/g, '\n')).length;
      var text = field.dataset.left.replace('{n}', left);
      seen.textContent = text;
      clearTimeout(timer);
      if (typing && left <= 20) timer = setTimeout(function () { heard.textContent = text; }, 1000);
    }
    field.addEventListener('input', function () { say(true); });
    say(false);
  });
})();
