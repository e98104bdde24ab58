/* A form that asks the browser for a proof of work (ALTCHA): <div data-proof="/where/the/challenge/is" data-worker="/proof-worker.js"
   data-busy="..." data-done="...">, with a hidden field and a status line in it. It works from the first touch of the form on; who
   sends it earlier waits a moment. Where anything is missing, the form goes without: it is taken all the same. */
(function () {
  'use strict';
  var box = document.querySelector('[data-proof]');
  var form = box && box.closest('form');
  if (!form || !window.Worker || !window.fetch || !window.crypto || !crypto.subtle) return;
  var field = box.querySelector('input'), said = box.querySelector('[role=status]');
  var begun = false, over = false, waits = null;
  function end(answer) {
    if (over) return;
    over = true;
    if (answer) field.value = btoa(JSON.stringify(answer));
    said.textContent = answer ? box.dataset.done : '';
    if (waits) { form.requestSubmit ? form.requestSubmit(waits.by) : form.submit(); }
  }
  function begin() {
    if (begun) return;
    begun = true;
    said.textContent = box.dataset.busy;
    fetch(box.dataset.proof, { credentials: 'omit' }).then(function (r) { return r.json(); }).then(function (c) {
      var worker = new Worker(box.dataset.worker);
      worker.onmessage = function (e) {
        worker.terminate();
        end(e.data < 0 ? null : { algorithm: c.algorithm, challenge: c.challenge, number: e.data, salt: c.salt, signature: c.signature });
      };
      worker.onerror = function () { end(null); };
      worker.postMessage(c);
    }).catch(function () { end(null); });
  }
  form.addEventListener('focusin', begin);
  form.addEventListener('submit', function (e) {
    begin();
    if (over) return;
    e.preventDefault();
    if (waits) return;
    waits = { by: e.submitter || null };
    setTimeout(function () { end(null); }, 20000);
  });
})();
