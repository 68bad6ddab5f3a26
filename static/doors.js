/* What the account's pages do beyond their forms: say that a key failed, and print the codes. */
const byId = (id) => document.getElementById(id);
const form = byId("key-form");
const print = byId("print");
/* An address of numbers is no name that a key could be bound to. */
const IS_NUMBERS = /^[\d.]+$|^\[/;

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
  if (!window.PublicKeyCredential || IS_NUMBERS.test(window.location.hostname)) {
    button.disabled = true;
    byId("key-impossible").hidden = false;
  }
  // Enter in the key's name means its button, not a form without a key's answer.
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    button.click();
  });
}
if (print) {
  print.hidden = false;
  print.addEventListener("click", () => window.print());
}
