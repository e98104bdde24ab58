/* Keeps what is typed in a form.

   <form data-keep="petition-new">          in this browser, until a page carries data-kept="petition-new" (several with spaces between)
   <form data-autosave="/admin/x/draft">    on the server, two seconds after the last key; in this browser until it is there
   <form data-autosave="..." data-keep="x-{revision}">   what is kept in this browser is of that value of the form's field: it never comes
                                            back over what was saved since

   The server may answer an autosave with JSON: {"fields": {"version": "3"}, "autosave": "/...", "action": "/...", "address": "/..."}:
   values for fields of the form, new addresses for the form, and the address the browser shows from now on.
   Words come from the element made by the partial "autosave". Without this script a form is sent as any other. */
(function () {
  'use strict';
  var prefix = 'kithline:', days = 30, wait = 2000;

  function read(key) {
    try {
      var kept = JSON.parse(localStorage.getItem(prefix + key));
      if (kept && Date.now() - kept.at < days * 864e5) return kept.values;
      localStorage.removeItem(prefix + key);
    } catch (e) { /* no storage, or not ours */ }
    return null;
  }
  function write(key, values) {
    try { localStorage.setItem(prefix + key, JSON.stringify({ at: Date.now(), values: values })); return true; } catch (e) { return false; }
  }
  function drop(key) { try { localStorage.removeItem(prefix + key); } catch (e) { /* no storage */ } }

  function older(begin) {
    try {
      Object.keys(localStorage).forEach(function (k) { if (k.indexOf(prefix + begin) === 0) read(k.slice(prefix.length)); });
    } catch (e) { /* no storage */ }
  }

  function typed(field) {
    return field.name && !field.disabled && !/^(password|hidden|file|submit|button|reset|image)$/.test(field.type);
  }
  function values(form) {
    var out = {};
    Array.prototype.forEach.call(form.elements, function (f) {
      if (!typed(f)) return;
      if (f.type === 'checkbox' || f.type === 'radio') (out[f.name] = out[f.name] || []).push.apply(out[f.name], f.checked ? [f.value] : []);
      else if (f.type === 'select-multiple') out[f.name] = Array.prototype.filter.call(f.options, function (o) { return o.selected; }).map(function (o) { return o.value; });
      else out[f.name] = f.value;
    });
    return out;
  }
  function restore(form, kept) {
    Array.prototype.forEach.call(form.elements, function (f) {
      if (!typed(f) || !(f.name in kept)) return;
      var v = kept[f.name];
      if (f.type === 'checkbox' || f.type === 'radio') f.checked = Array.isArray(v) && v.indexOf(f.value) >= 0;
      else if (f.type === 'select-multiple') Array.prototype.forEach.call(f.options, function (o) { o.selected = Array.isArray(v) && v.indexOf(o.value) >= 0; });
      else if (typeof v === 'string') f.value = v;
    });
  }

  function tend(form) {
    var url = form.dataset.autosave, named = form.dataset.keep || url, note = form.querySelector('[data-autosave-status]');
    var timer, busy = false, again = false, tries = 0, sent = JSON.stringify(values(form)), shown = '';

    function key() { return named.replace('{revision}', form.elements.revision ? form.elements.revision.value : ''); }
    function say(word) {
      if (!note) return;
      var text = (note.dataset[word] || '').replace('{time}', new Date().toLocaleTimeString(document.documentElement.lang, { hour: '2-digit', minute: '2-digit', hour12: false }));
      if (text !== shown) note.textContent = shown = text;
    }
    function later(ms) { clearTimeout(timer); timer = setTimeout(save, ms); }
    function save(leaving) {
      clearTimeout(timer);
      var now = JSON.stringify(values(form));
      if (!url || now === sent) return;
      if (busy) { again = true; return; }
      busy = true;
      var body = new URLSearchParams(), data = new FormData(form);
      data.forEach(function (v, k) { if (typeof v === 'string' && !(form.elements[k] && form.elements[k].type === 'password')) body.append(k, v); });
      fetch(url, { method: 'POST', body: body, credentials: 'same-origin', keepalive: leaving === true && now.length < 60000, headers: { Accept: 'application/json' } })
        .then(function (r) {
          if (r.status === 409) { say('conflict'); url = ''; return null; }
          if (!r.ok) throw new Error(r.status);
          var json = (r.headers.get('Content-Type') || '').indexOf('json') > 0;
          return json ? r.json() : {};
        })
        .then(function (answer) {
          busy = false;
          if (!answer) return;
          sent = now; tries = 0; drop(key()); say('saved'); form.dispatchEvent(new CustomEvent('autosaved', { bubbles: true }));
          Object.keys(answer.fields || {}).forEach(function (n) { if (form.elements[n]) form.elements[n].value = answer.fields[n]; });
          if (answer.autosave) url = answer.autosave;
          if (answer.action) form.action = answer.action;
          if (answer.address) history.replaceState(null, '', answer.address);
          if (again) { again = false; later(wait); }
        })
        .catch(function () {
          busy = false; again = false; tries++;
          say('failed');
          later(Math.min(60000, wait * Math.pow(2, tries)));
        });
    }

    var kept = read(key());
    if (named.indexOf('{revision}') >= 0) older(named.split('{revision}')[0]); // what is too old goes
    // Not over a form that came back from the server with its values and errors.
    if (kept && !form.querySelector('[aria-invalid="true"], .wrong') && JSON.stringify(kept) !== sent) { restore(form, kept); say('found'); later(wait); }
    form.addEventListener('input', function () {
      if (write(key(), values(form)) && !url) say('here');
      if (url) later(wait);
    });
    form.addEventListener('submit', function () { clearTimeout(timer); url = ''; });
    document.addEventListener('visibilitychange', function () { if (document.visibilityState === 'hidden') save(true); });
  }

  Array.prototype.forEach.call(document.querySelectorAll('[data-kept]'), function (e) { e.dataset.kept.split(' ').forEach(drop); });
  Array.prototype.forEach.call(document.querySelectorAll('form[data-autosave], form[data-keep]'), tend);
})();
