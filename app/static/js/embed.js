/* A petition on another site: <script async src="https://SITE/embed.js" data-petition="SLUG"></script>
   Makes a frame in the place of the tag and gives it the colours around it. It sets nothing, sends nothing, and needs nothing. */
(function () {
  'use strict';
  var tag = document.currentScript;
  if (!tag || !tag.dataset.petition) return;
  var origin = new URL(tag.src).origin;

  function hex(colour) {
    var m = /^rgba?\((\d+),\s*(\d+),\s*(\d+)(?:,\s*([\d.]+))?\)$/.exec(colour);
    if (!m || (m[4] !== undefined && Number(m[4]) < 0.95)) return '';
    return [m[1], m[2], m[3]].map(function (n) { return ('0' + Number(n).toString(16)).slice(-2); }).join('');
  }
  function paper(e) {
    for (; e; e = e.parentElement) {
      var c = hex(getComputedStyle(e).backgroundColor);
      if (c) return c;
    }
    return 'ffffff';
  }
  function link(e) {
    var a = document.createElement('a');
    a.href = origin;
    e.appendChild(a);
    var c = hex(getComputedStyle(a).color);
    a.remove();
    return c;
  }

  var place = tag.parentElement || document.body, q = new URLSearchParams();
  if (place === document.head) return;
  q.set('background', tag.dataset.background || paper(place));
  q.set('text', tag.dataset.text || hex(getComputedStyle(place).color));
  q.set('accent', tag.dataset.accent || link(place));
  var lang = tag.dataset.lang || (document.documentElement.lang || '').slice(0, 2);
  if (lang) q.set('lang', lang);

  var frame = document.createElement('iframe');
  frame.src = origin + '/petitions/' + encodeURIComponent(tag.dataset.petition) + '/embed?' + q;
  frame.title = tag.dataset.title || 'Petition';
  frame.loading = 'lazy';
  frame.style.cssText = 'display:block;width:100%;max-width:40rem;border:0;color-scheme:auto';
  function size() {
    var w = frame.clientWidth || 320;
    frame.style.height = (w < 340 ? 400 : w < 480 ? 340 : 290) + 'px';
  }
  tag.insertAdjacentElement('afterend', frame);
  size();
  window.addEventListener('resize', size);
})();
