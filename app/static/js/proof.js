/* A form that asks the browser for a proof of work (ALTCHA): <div data-proof="/where/the/challenge/is" data-worker="/proof-worker.js"
   data-busy="..." data-waits="..." data-done="..."> with a hidden field in it, and below the button a status line, data-proof-says. It
   works from the first touch of the form on; who sends it earlier waits a moment. Where anything is missing, the form goes without:
   it is taken all the same. */
(function () {
  'use strict';
  var box = document.querySelector('[data-proof]');
  var form = box && box.closest('form');
  if (!form || !window.Worker || !window.fetch) return;
  var field = box.querySelector('input'), said = form.querySelector('[data-proof-says]');
  var good = 50 * 60 * 1000; // a proof ends after an hour, and somebody may rest before they send the form
  var begun = 0, over = false, waits = null;
  function end(of, answer) {
    if (over || of !== begun) return;
    over = true;
    field.value = answer ? btoa(JSON.stringify(answer)) : '';
    said.textContent = answer ? box.dataset.done : '';
    if (waits) { form.requestSubmit ? form.requestSubmit(waits.by) : form.submit(); }
  }
  function begin() {
    if (begun && Date.now() - begun < good) return;
    var of = begun = Date.now();
    over = false;
    said.textContent = box.dataset.busy;
    fetch(box.dataset.proof, { credentials: 'omit' }).then(function (r) { return r.json(); }).then(function (c) {
      var worker = new Worker(box.dataset.worker);
      worker.onmessage = function (e) {
        worker.terminate();
        end(of, e.data < 0 ? null : { algorithm: c.algorithm, challenge: c.challenge, number: e.data, salt: c.salt, signature: c.signature });
      };
      worker.onerror = function () { end(of, null); };
      worker.postMessage(c);
    }).catch(function () { end(of, null); });
  }
  form.addEventListener('focusin', begin);
  form.addEventListener('submit', function (e) {
    begin();
    if (over) return;
    e.preventDefault();
    if (waits) return;
    said.textContent = box.dataset.waits;
    waits = { by: e.submitter || null };
    setTimeout(end, 20000, begun, null);
  });
  addEventListener('pageshow', function (e) { // back from the page after the form: its proof is used up
    if (!e.persisted) return;
    begun = 0;
    waits = null;
    field.value = said.textContent = '';
  });
})();
