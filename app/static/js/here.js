/* A form that sends where the reader is, when they press its button and their browser allows it: <form hidden data-here>.
   It stays hidden where it could not work. Nothing is asked of the browser before the button is pressed. */
(function () {
  'use strict';
  var form = document.querySelector('[data-here]');
  if (!form || !navigator.geolocation || !window.isSecureContext) return;
  form.hidden = false;
  var said = document.createElement('p');
  said.setAttribute('role', 'status');
  form.appendChild(said);
  form.addEventListener('submit', function (event) {
    if (form.elements.lat.value) return;
    event.preventDefault();
    said.textContent = '';
    navigator.geolocation.getCurrentPosition(function (at) {
      form.elements.lat.value = at.coords.latitude.toFixed(4);
      form.elements.lon.value = at.coords.longitude.toFixed(4);
      form.submit();
    }, function () {
      said.textContent = form.dataset.failed;
    }, { timeout: 20000, maximumAge: 60000 });
  });
})();
