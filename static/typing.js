/* Quotation marks, dashes and apostrophes as the language of each field writes them, while one
   types; and how long the text is. The marks come from newsroom/typography.py by the editor's
   configuration. Backspace or Ctrl+Z, right after a mark was set, gives back what was typed. */
(() => {
  const LETTER = /[\p{L}\p{N}]/u;
  const IN_WORD = /(?<=\p{L})’(?=\p{L})/gu;
  let last = null;

  /* What to put for a typed character, and how many characters before it go. */
  const marked = (marks, typed, before) => {
    const previous = before.slice(-1);
    const opens = !previous || /[\s(\[{—–-]/.test(previous)
      || previous === marks.opening || previous === marks.inner_opening;
    if (typed === '"') {
      // In English the mark that closes an inner quotation is the apostrophe as well.
      const plain = before.replace(IN_WORD, "");
      const count = (mark) => (mark === marks.apostrophe ? plain : before).split(mark).length - 1;
      const isInside = count(marks.opening) > count(marks.closing);
      const isDeeper = marks.inner_opening !== marks.opening
        && count(marks.inner_opening) > count(marks.inner_closing);
      if (opens) return [isInside ? marks.inner_opening : marks.opening, 0];
      return [isInside && isDeeper ? marks.inner_closing : marks.closing, 0];
    }
    if (typed === "'") {
      if (LETTER.test(previous)) return [marks.apostrophe, 0];
      if (marks.inner_closing !== marks.apostrophe) return null;
      return [opens ? marks.inner_opening : marks.inner_closing, 0];
    }
    if (typed === "-" && previous === "-") return [marks.dash, 1];
    if (typed === " " && /\s-$/.test(before)) return [marks.spaced_dash, 2];
    return null;
  };

  /* A whole text at once; `state` is what stood before it in the same paragraph. */
  const setRight = (marks, text, state) => {
    let done = "";
    for (const letter of text.replace(/(\s)(?:--?|[–—])(?=\s)/g, "$1-")) {
      const mark = letter === " " || letter === '"' || letter === "'" ? marked(marks, letter, state + done) : null;
      if (mark) {
        if (mark[1] > done.length) { done += letter; continue; }
        done = done.slice(0, done.length - mark[1]) + mark[0];
      } else done += letter;
    }
    return done;
  };

  /* Whether this key gives back what was typed in this place. By its code: Z is another letter on
     a Cyrillic keyboard. Whatever else is pressed or clicked, the mark is no longer the last thing. */
  const givesBack = (event, place) => {
    if (["Control", "Meta", "Shift", "Alt"].includes(event.key)) return false;
    const isUndo = (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && event.code === "KeyZ";
    if (last && last.place === place && (isUndo || event.key === "Backspace")) return true;
    last = null;
    return false;
  };
  document.addEventListener("pointerdown", () => { last = null; }, true);

  const undoable = (text) => document.execCommand("insertText", false, text);

  const onField = (field, marks) => {
    field.addEventListener("beforeinput", (event) => {
      last = event.inputType === "deleteContentBackward" ? last : null;
      if (event.inputType !== "insertText" || field.selectionStart !== field.selectionEnd) return;
      const at = field.selectionStart;
      const mark = marked(marks, event.data, field.value.slice(0, at));
      if (!mark) return;
      event.preventDefault();
      const gone = field.value.slice(at - mark[1], at);
      field.setSelectionRange(at - mark[1], at);
      undoable(mark[0]);
      last = { place: field, size: mark[0].length, typed: gone + event.data };
    });
    field.addEventListener("keydown", (event) => {
      if (!givesBack(event, field)) return;
      event.preventDefault();
      const { size, typed } = last;
      last = null;
      field.setSelectionRange(field.selectionStart - size, field.selectionStart);
      undoable(typed);
      last = null;
    });
  };

  const onEditor = (editor, marks) => {
    const area = editor.editable().$;
    const before = () => {
      const range = window.getSelection().getRangeAt(0).cloneRange();
      const inside = range.startContainer.nodeType === 1 ? range.startContainer : range.startContainer.parentElement;
      const block = inside.closest("p, h2, h3, li, blockquote, td, th, caption, figcaption") || area;
      range.setStart(block, 0);
      return range.toString();
    };
    const back = (count) => {
      for (let step = 0; step < count; step += 1) window.getSelection().modify("extend", "backward", "character");
    };
    area.addEventListener("beforeinput", (event) => {
      if (event.inputType !== "deleteContentBackward") last = null;
      const chosen = window.getSelection();
      if (event.inputType !== "insertText" || !chosen.rangeCount || !chosen.isCollapsed) return;
      const text = before();
      const mark = marked(marks, event.data, text);
      if (!mark) return;
      event.preventDefault();
      back(mark[1]);
      undoable(mark[0]);
      last = { place: area, size: mark[0].length, typed: text.slice(text.length - mark[1]) + event.data };
    });
    area.addEventListener("keydown", (event) => {
      if (!givesBack(event, area)) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      const { size, typed } = last;
      back(size);
      last = null;
      // As one piece: typed letter by letter it would be set right once more.
      undoable(typed);
      last = null;
    }, true);
    editor.on("newsroom:typography", () => {
      editor.fire("saveSnapshot");
      area.querySelectorAll("p, h2, h3, li, td, th, caption, figcaption").forEach((block) => {
        let state = "";
        const walker = document.createTreeWalker(block, NodeFilter.SHOW_TEXT);
        for (let node = walker.nextNode(); node; node = walker.nextNode()) {
          const right = setRight(marks, node.data, state);
          if (right !== node.data) node.data = right;
          state += node.data;
        }
      });
      editor.fire("saveSnapshot");
      editor.fire("change");
      fieldsOf(editor).forEach((field) => {
        field.value = setRight(marks, field.value, "");
        field.dispatchEvent(new Event("input", { bubbles: true }));
      });
    });
  };

  const fieldsOf = (editor) => ["title", "lead"]
    .map((name) => document.querySelector(`[name=${name}_${editor.config.contentsLanguage}]`)).filter(Boolean);

  /* Words and minutes below the editor, and what is too long said before it is sent. */
  const count = (editor) => {
    const told = document.getElementById("drafts");
    const line = document.createElement("p");
    line.className = "words";
    line.setAttribute("role", "status");
    editor.container.$.after(line);
    const show = () => {
      const text = editor.editable() ? editor.editable().getText() : "";
      const words = (text.match(/[\p{L}\p{N}]+(?:[’'-][\p{L}\p{N}]+)*/gu) || []).length;
      const size = editor.getData().length;
      const isLong = size > editor.config.longest;
      const pattern = isLong ? told.dataset.long : told.dataset.words;
      line.classList.toggle("alarm", isLong);
      line.textContent = pattern.replace("{words}", words).replace("{minutes}", Math.max(1, Math.round(words / 200)))
        .replace("{size}", size).replace("{most}", editor.config.longest);
    };
    let timer;
    editor.on("change", () => { clearTimeout(timer); timer = setTimeout(show, 300); });
    show();
  };

  const begin = () => {
    if (!window.CKEDITOR || !document.getElementById("drafts")) return;
    const ready = (editor) => {
      const marks = editor.config.typography;
      if (!marks) return;
      onEditor(editor, marks);
      fieldsOf(editor).forEach((field) => onField(field, marks));
      count(editor);
    };
    Object.values(CKEDITOR.instances).filter((one) => one.status === "ready").forEach(ready);
    CKEDITOR.on("instanceReady", (event) => ready(event.editor));
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
