/* Replaces typewriter quotes, apostrophes and dashes while typing, in the editor and in the fields
   above it, and counts words. Backspace or Ctrl+Z right after a replacement undoes it. */
import { length, replacementFor, correctText } from "./typography.js";
import { interpolate } from "./interpolate.js";

const BLOCKS = "p, h2, h3, li, td, th, caption, figcaption";
let last = null;

/* Whether this key undoes the last replacement. By its code: Z is another letter on a Cyrillic
   keyboard. Any other key or click ends the chance to undo. */
const isUndoKey = (event, place) => {
  if (["Control", "Meta", "Shift", "Alt"].includes(event.key)) return false;
  const isCommand = (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey;
  const isUndo = isCommand && event.code === "KeyZ";
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
    const mark = replacementFor(marks, event.data, field.value.slice(0, at));
    if (!mark) return;
    event.preventDefault();
    const gone = field.value.slice(at - mark[1], at);
    field.setSelectionRange(at - mark[1], at);
    undoable(mark[0]);
    last = { place: field, size: mark[0].length, typed: gone + event.data };
  });
  field.addEventListener("keydown", (event) => {
    if (!isUndoKey(event, field)) return;
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
    const node = range.startContainer;
    const inside = node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement;
    const block = inside.closest(`${BLOCKS}, blockquote`) || area;
    range.setStart(block, 0);
    return range.toString();
  };
  const back = (count) => {
    for (let step = 0; step < count; step += 1) {
      window.getSelection().modify("extend", "backward", "character");
    }
  };
  area.addEventListener("beforeinput", (event) => {
    if (event.inputType !== "deleteContentBackward") last = null;
    const chosen = window.getSelection();
    if (event.inputType !== "insertText" || !chosen.rangeCount || !chosen.isCollapsed) return;
    const text = before();
    const mark = replacementFor(marks, event.data, text);
    if (!mark) return;
    event.preventDefault();
    back(mark[1]);
    undoable(mark[0]);
    const typed = text.slice(text.length - mark[1]) + event.data;
    last = { place: area, size: mark[0].length, typed };
  });
  area.addEventListener("keydown", (event) => {
    if (!isUndoKey(event, area)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const { size, typed } = last;
    back(size);
    last = null;
    // As one insertion: typed by letters it would be replaced again.
    undoable(typed);
    last = null;
  }, true);
  editor.on("newsroom:typography", () => {
    editor.fire("saveSnapshot");
    area.querySelectorAll(BLOCKS).forEach((block) => {
      let state = "";
      const walker = document.createTreeWalker(block, NodeFilter.SHOW_TEXT);
      for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const right = correctText(marks, node.data, state);
        if (right !== node.data) node.data = right;
        state += node.data;
      }
    });
    editor.fire("saveSnapshot");
    editor.fire("change");
    fieldsOf(editor).forEach((field) => {
      field.value = correctText(marks, field.value, "");
      field.dispatchEvent(new Event("input", { bubbles: true }));
    });
  });
};

const fieldsOf = (editor) => ["title", "lead"]
  .map((name) => document.querySelector(`[name=${name}_${editor.config.contentsLanguage}]`))
  .filter(Boolean);

/* Words and minutes below the editor, or that the text is too long. */
const count = (editor) => {
  const told = document.getElementById("autosave");
  const line = document.createElement("p");
  line.className = "words";
  line.setAttribute("role", "status");
  editor.container.$.after(line);
  const show = () => {
    const text = editor.editable() ? editor.editable().getText() : "";
    const size = editor.getData().length;
    const most = editor.config.longest;
    const isLong = size > most;
    line.classList.toggle("alarm", isLong);
    const { long, words } = told.dataset;
    line.textContent = interpolate(isLong ? long : words, { ...length(text), size, most });
  };
  let timer;
  editor.on("change", () => { clearTimeout(timer); timer = setTimeout(show, 300); });
  show();
};

const ready = (editor) => {
  const marks = editor.config.typography;
  if (!marks) return;
  onEditor(editor, marks);
  fieldsOf(editor).forEach((field) => onField(field, marks));
  count(editor);
};

if (window.CKEDITOR && document.getElementById("autosave")) {
  Object.values(CKEDITOR.instances).filter((one) => one.status === "ready").forEach(ready);
  CKEDITOR.on("instanceReady", (event) => ready(event.editor));
}
