/* Finds the number whose digits behind salt hash to challenge; -1 where there is none. */
'use strict';
onmessage = async function (e) {
  var c = e.data, text = new TextEncoder(), n = -1;
  for (var i = 0; i <= c.maxNumber && n < 0; i++) {
    var sum = new Uint8Array(await crypto.subtle.digest('SHA-256', text.encode(c.salt + i))), hex = '';
    for (var j = 0; j < sum.length; j++) hex += (sum[j] < 16 ? '0' : '') + sum[j].toString(16);
    if (hex === c.challenge) n = i;
  }
  postMessage(n);
};
