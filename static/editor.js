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
      table: {
        cell: { columnHeader: "Заголовок колонки", rowHeader: "Заголовок строки" },
        heightUnit: "единица высоты",
      },
    },
  };
  const fill = (words, gap) => {
    for (const [key, value] of Object.entries(gap)) {
      if (typeof value === "object") fill(words[key], value);
      else words[key] = value;
    }
  };
  /* Words of the newsroom's own two buttons. */
  const words = {
    en: {
      picture: "Picture",
      typography: "Set quotation marks and dashes right",
      files: "A picture comes into the text through its button only, so that its description and "
        + "credit come along.",
    },
    be: {
      picture: "Малюнак",
      typography: "Выправіць двукоссі і працяжнікі",
      files: "Малюнак трапляе ў тэкст толькі праз сваю кнопку, разам з апісаннем і аўтарствам.",
    },
    ru: {
      picture: "Изображение",
      typography: "Исправить кавычки и тире",
      files: "Изображение попадает в текст только через свою кнопку, вместе с описанием и "
        + "авторством.",
    },
  };
  const labels = (editor) => words[editor.langCode] || words.en;

  /* The picture library is the admin's own popup. It answers by setting the value of the field
     that it was opened for, whether a picture was chosen or uploaded, and not always by an event. */
  const PICTURES = "/admin/articles/picture/";
  const insertPicture = async (editor, id) => {
    const language = editor.config.contentsLanguage;
    const answer = await fetch(`${PICTURES}${id}/figure/${language}/`);
    if (!answer.ok) return;
    editor.focus();
    // A picture stands between paragraphs, not in a table's cell or a list's item.
    const outer = editor.elementPath().contains({ table: 1, ul: 1, ol: 1 });
    if (outer) {
      const range = editor.createRange();
      range.moveToPosition(outer, CKEDITOR.POSITION_AFTER_END);
      range.select();
    }
    const { html } = await answer.json();
    editor.insertElement(CKEDITOR.dom.element.createFromHtml(html, editor.document));
    editor.fire("saveSnapshot");
  };
  const choosePicture = (editor) => {
    const id = `picture-for-${editor.name}`;
    if (!document.getElementById(id)) {
      const field = document.createElement("input");
      field.type = "hidden";
      field.id = id;
      Object.defineProperty(field, "value", {
        get: () => "",
        set: (chosen) => { insertPicture(editor, chosen); },
      });
      document.body.append(field);
    }
    const looks = "width=960,height=720,resizable,scrollbars";
    window.open(`${PICTURES}?_popup=1&_to_field=id`, id, looks).focus();
  };

  /* Google Docs says bold and italic by styles, wraps all of it in a <b> that is not bold, and puts
     lists into lists without an item. CKEditor's own filter for it throws at a span that has no
     style left (around a picture, say), and the whole paste is lost. */
  const isList = (element) => Boolean(element) && (element.name === "ul" || element.name === "ol");
  const unwrapInList = (element) => { if (isList(element.parent)) delete element.name; };
  const googleDocs = {
    b(element) {
      if (/font-weight:\s*normal/i.test(element.attributes.style || "")) delete element.name;
    },
    p(element) { if (element.parent.name === "li") delete element.name; },
    ul: unwrapInList,
    ol: unwrapInList,
    span(element) {
      const style = element.attributes.style || "";
      const names = [];
      if (/font-weight:\s*(?:bold|[6-9]00)/i.test(style)) names.push("strong");
      if (/font-style:\s*italic/i.test(style)) names.push("em");
      element.attributes = {};
      if (names.length === 0) delete element.name;
      else element.name = names[0];
      if (names.length < 2) return;
      const inner = new CKEDITOR.htmlParser.element(names[1]);
      element.children.slice().forEach((child) => { child.remove(); inner.add(child); });
      element.add(inner);
    },
  };
  const fromGoogleDocs = (html) => {
    const writer = new CKEDITOR.htmlParser.basicWriter();
    const filter = new CKEDITOR.htmlParser.filter({ elements: googleDocs });
    CKEDITOR.htmlParser.fragment.fromHtml(html).writeHtml(writer, filter);
    return writer.getHtml();
  };

  /* What any program pasted, as an article is written. */
  const PARAGRAPH_IN_CELL =
    /(<t[dh]\b[^>]*>)\s*<p\b[^>]*>((?:(?!<\/?p\b)[^])*)<\/p>\s*(?=<\/t[dh]>)/gi;
  const isBeforeDash = (text, at) => /[—–]/.test(text[at] || "");
  const cleaned = (html) => html
    // A heading of the first order is the article's own title; h4 and below are not ours.
    .replace(/<(\/?)h1\b/gi, "<$1h2")
    .replace(/<(\/?)h[456]\b/gi, "<$1h3")
    .replace(/<(\/?)b\b(?=[^>]*font-weight:\s*normal)[^>]*>/gi, "")
    // A cell holds words; a paragraph in each is how others write tables.
    .replace(PARAGRAPH_IN_CELL, "$1$2")
    .replace(/<img\b[^>]*>/gi, (tag) => (/src="\/media\/pictures\//.test(tag) ? tag : ""))
    .replace(/&nbsp;|\u00a0/g, (space, at, whole) =>
      (isBeforeDash(whole, at + space.length) ? "\u00a0" : " "));

  CKEDITOR.plugins.add("newsroom", {
    init(editor) {
      const { allowedContent } = editor.config;
      editor.addCommand("newsroomPicture", { exec: choosePicture, allowedContent });
      editor.addCommand("newsroomTypography", { exec: (one) => one.fire("newsroom:typography") });
      editor.ui.addButton("Picture", {
        label: labels(editor).picture,
        command: "newsroomPicture",
        icon: "/static/picture.svg",
      });
      editor.ui.addButton("Typography", {
        label: labels(editor).typography,
        command: "newsroomTypography",
        icon: "/static/typography.svg",
      });
      editor.on("paste", (event) => {
        if (!/docs-internal-guid-/.test(event.data.dataValue || "")) return;
        event.data.dataValue = fromGoogleDocs(event.data.dataValue);
      }, null, null, 1);
      editor.on("paste", (event) => {
        const pasted = event.data.dataTransfer;
        if (pasted && pasted.getFilesCount() > 0) {
          event.cancel();
          editor.showNotification(labels(editor).files, "warning");
          return;
        }
        if (typeof event.data.dataValue !== "string") return;
        event.data.dataValue = cleaned(event.data.dataValue);
      }, null, null, 20);
    },
  });
  /* A table is rows and columns with a head; how it looks is the page's business. */
  CKEDITOR.on("dialogDefinition", (event) => {
    if (event.data.name !== "table" && event.data.name !== "tableProperties") return;
    const { definition } = event.data;
    const info = definition.getContents("info");
    ["txtWidth", "txtHeight", "txtCellSpace", "txtCellPad", "txtBorder", "cmbAlign", "txtSummary"]
      .forEach((id) => info.remove(id));
    definition.removeContents("advanced");
    const head = info.get("selHeaders");
    if (head) head.default = "row";
  });
  CKEDITOR.editorConfig = function (config) {
    this.on("langLoaded", () => fill(this.lang, gaps[this.langCode] || {}));
    // The plugin "divarea" leaves out the language that spelling is checked in.
    this.on("contentDom", () => this.editable().setAttribute("lang", config.contentsLanguage));
    // What a screen reader says; by itself it would say the field's id.
    const label = document.querySelector(`label[for="${this.name}"]`);
    if (label) config.title = label.textContent.trim();
  };
})();
