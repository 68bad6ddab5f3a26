/* What the account's pages do beyond their forms: say that a key failed, and print the codes. */
(function () {
  const show = (id) => { const found = document.getElementById(id); if (found) found.hidden = false }
  const hide = (id) => { const found = document.getElementById(id); if (found) found.hidden = true }

  document.addEventListener('allauth.error', function (event) {
    event.preventDefault()
    show('key-failed')
  })
  const form = document.getElementById('key-form')
  if (form) {
    const button = document.getElementById('key-button')
    window.allauth.webauthn.forms[form.dataset.ceremony]({
      ids: {
        add: button.id,
        authenticate: button.id,
        credential: form.dataset.credential,
        data: 'key-options'
      }
    })
    button.addEventListener('click', () => hide('key-failed'))
    // An address of numbers is no name that a key could be bound to.
    if (!window.PublicKeyCredential || /^[\d.]+$|^\[/.test(window.location.hostname)) {
      button.disabled = true
      show('key-impossible')
    }
    // Enter in the key's name means its button, not a form without a key's answer.
    form.addEventListener('submit', function (event) {
      event.preventDefault()
      button.click()
    })
  }
  const print = document.getElementById('print')
  if (print) {
    print.hidden = false
    print.addEventListener('click', () => window.print())
  }
})()
