/* A button that copies the value or text of another element: <button hidden data-copy="id" data-copied="Copied">.
   It stays hidden where it could not work. */
(function () {
  'use strict';
  if (!navigator.clipboard) return;
  Array.prototype.forEach.call(document.querySelectorAll('[data-copy]'), function (button) {
    var from = document.getElementById(button.dataset.copy);
    if (!from) return;
    button.hidden = false;
    button.addEventListener('click', function () {
      navigator.clipboard.writeText(from.value || from.textContent.trim()).then(function () {
        var said = document.createElement('span');
        said.setAttribute('role', 'status');
        said.className = 'soft';
        button.insertAdjacentElement('afterend', said);
        said.textContent = button.dataset.copied;
        setTimeout(function () { said.remove(); }, 4000);
      });
    });
  });
})();
