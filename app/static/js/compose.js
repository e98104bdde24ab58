/* Beside the form of a mailing: frames that show the mail follow what was saved, and buttons that put a piece of text where the cursor is.

   <iframe data-follows="compose">                          is loaded anew after each "autosaved" of the form with that id
   <button type="button" hidden data-into="body" data-insert="block-button">   puts the text of #block-button into #body

   Without this script the preview shows what was saved last, and the pieces can be copied by hand. */
(function () {
  'use strict';
  document.addEventListener('autosaved', function (event) {
    Array.prototype.forEach.call(document.querySelectorAll('[data-follows="' + event.target.id + '"]'), function (frame) {
      try { frame.contentWindow.location.replace(frame.src); } catch (e) { frame.src = frame.src; }
    });
  });
  Array.prototype.forEach.call(document.querySelectorAll('[data-insert]'), function (button) {
    var from = document.getElementById(button.dataset.insert), into = document.getElementById(button.dataset.into);
    if (!from || !into) return;
    button.hidden = false;
    button.addEventListener('click', function () {
      var at = into.selectionEnd, before = into.value.slice(0, at), piece = from.textContent.trim();
      var gap = before && !/\n\n$/.test(before) ? (/\n$/.test(before) ? '\n' : '\n\n') : '';
      into.value = before + gap + piece + '\n\n' + into.value.slice(at).replace(/^\n+/, '');
      into.focus();
      into.selectionStart = into.selectionEnd = (before + gap + piece).length;
      into.dispatchEvent(new Event('input', { bubbles: true }));
    });
  });
})();
