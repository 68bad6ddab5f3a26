/* Security keys, through allauth's webauthn.js, and the button that prints recovery codes. */
const byId = (id) => document.getElementById(id);
const form = byId("key-form");
const print = byId("print");
/* WebAuthn needs a domain name: an IP address is no relying party id. */
const IP_ADDRESS = /^[\d.]+$|^\[/;

if (form) {
  const button = byId("key-button");
  const failed = byId("key-failed");
  document.addEventListener("allauth.error", (event) => {
    event.preventDefault();
    failed.hidden = false;
  });
  window.allauth.webauthn.forms[form.dataset.ceremony]({
    ids: {
      add: button.id,
      authenticate: button.id,
      credential: form.dataset.credential,
      data: "key-options",
    },
  });
  button.addEventListener("click", () => { failed.hidden = true; });
  if (!window.PublicKeyCredential || IP_ADDRESS.test(window.location.hostname)) {
    button.disabled = true;
    byId("key-impossible").hidden = false;
  }
  // Enter in the name's field must ask the key first.
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    button.click();
  });
}
if (print) {
  print.hidden = false;
  print.addEventListener("click", () => window.print());
}
