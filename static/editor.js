/* CKEditor's own configuration (EDITOR in newsroom/settings.py holds the rest): the languages
   that it does not ship, and what it leaves in English in those that it does. */
CKEDITOR.lang.languages.be = 1;
CKEDITOR.plugins.registered.a11yhelp.availableLangs.be = 1;

(() => {
  const gaps = {
    ru: {
      application: "Редактор текста",
      clipboard: {
        fileFormatNotSupportedNotification: "Файлы ${formats} не поддерживаются.",
        fileWithoutFormatNotSupportedNotification: "Такие файлы не поддерживаются.",
      },
      link: {
        anchor: { errorWhitespace: "В названии якоря не может быть пробелов" },
        noTel: "Введите номер телефона",
        phoneNumber: "Номер телефона",
        emailAddress: "Адрес электронной почты",
        toEmail: "Электронная почта",
        toPhone: "Телефон",
      },
    },
  };
  const fill = (words, gap) => {
    for (const [key, value] of Object.entries(gap)) {
      if (typeof value === "object") fill(words[key], value);
      else words[key] = value;
    }
  };
  CKEDITOR.editorConfig = function (config) {
    this.on("langLoaded", () => fill(this.lang, gaps[this.langCode] || {}));
    // The plugin "divarea" leaves out the language that spelling is checked in.
    this.on("contentDom", () => this.editable().setAttribute("lang", config.contentsLanguage));
    // What a screen reader says; by itself it would say the field's id.
    const label = document.querySelector(`label[for="${this.name}"]`);
    if (label) config.title = label.textContent.trim();
  };
})();
