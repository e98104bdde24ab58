/* Finds the number whose digits behind salt hash to challenge; -1 where there is none. The hash is SHA-256, worked out here: the
   browser's own answers each question in a turn of its own, which takes many times as long, and is not there without https. */
'use strict';
var first = [], keys = [], w = new Int32Array(64);
(function () { // what FIPS 180-4 begins with: bits behind the point of the roots of primes
  function bits(x) { return (x - Math.floor(x)) * 4294967296 | 0; }
  for (var p = 2; keys.length < 64; p++) {
    for (var d = 2; d * d <= p && p % d;) d++;
    if (d * d <= p) continue;
    if (first.length < 8) first.push(bits(Math.sqrt(p)));
    keys.push(bits(Math.cbrt(p)));
  }
})();
function turn(x, n) { return x >>> n | x << 32 - n; }
// block takes 64 bytes from at on into the state h, and returns the new state.
function block(h, bytes, at) {
  var a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], f = h[5], g = h[6], k = h[7];
  for (var i = 0; i < 64; i++) {
    if (i < 16) {
      var j = at + 4 * i;
      w[i] = bytes[j] << 24 | bytes[j + 1] << 16 | bytes[j + 2] << 8 | bytes[j + 3];
    } else {
      var x = w[i - 15], y = w[i - 2];
      w[i] = w[i - 16] + w[i - 7] + (turn(x, 7) ^ turn(x, 18) ^ x >>> 3) + (turn(y, 17) ^ turn(y, 19) ^ y >>> 10);
    }
    var s = k + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + (e & f ^ ~e & g) + keys[i] + w[i] | 0;
    var t = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + (a & b ^ a & c ^ b & c) | 0;
    k = g; g = f; f = e; e = d + s | 0; d = c; c = b; b = a; a = s + t | 0;
  }
  return [h[0] + a | 0, h[1] + b | 0, h[2] + c | 0, h[3] + d | 0, h[4] + e | 0, h[5] + f | 0, h[6] + g | 0, h[7] + k | 0];
}
function hash(text) {
  var bytes = new Uint8Array((text.length + 9 + 63) >> 6 << 6), h = first;
  for (var i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i); // a salt is of plain letters
  bytes[i] = 128;
  new DataView(bytes.buffer).setUint32(bytes.length - 4, 8 * text.length);
  for (i = 0; i < bytes.length; i += 64) h = block(h, bytes, i);
  return h.map(function (n) { return (n >>> 0).toString(16).padStart(8, '0'); }).join('');
}
onmessage = function (e) {
  var c = e.data, n = 0;
  while (n <= c.maxNumber && hash(c.salt + n) !== c.challenge) n++;
  postMessage(n <= c.maxNumber ? n : -1);
};
