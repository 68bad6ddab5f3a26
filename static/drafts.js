/* Keeps what is typed as a draft on the server, a moment after the typing stops. One keeper for
   each element with data-draft-language; its words come from the data- attributes of #drafts. */
import { said } from "./words.js";

/* Milliseconds. */
const PAUSE = 1500;
const AGAIN = 5000;

const told = document.getElementById("drafts");
const words = told?.dataset;
const form = document.getElementById("article_form");
let submitting = false;

const say = (text, isWrong) => {
  told.textContent = text;
  told.classList.toggle("alarm", Boolean(isWrong));
};

/* Asked for anything, the newsroom leads whoever is logged out to the log-in. */
const leadsAway = (answer) => answer.type === "opaqueredirect";

/* After a new log-in in another tab the old token is no good: the form needs the new one too.
   False if one is logged out. */
const renew = async () => {
  const headers = { Accept: "application/json" };
  const answer = await fetch(words.url, { headers, redirect: "manual" });
  if (leadsAway(answer) || answer.status === 403) return false;
  if (!answer.ok) return true;
  const { token } = await answer.json();
  document.querySelectorAll("[name=csrfmiddlewaretoken]").forEach((one) => { one.value = token; });
  return true;
};

const keeperOf = (mark) => {
  const code = mark.dataset.draftLanguage;
  const box = mark.closest("fieldset, [data-draft-box]");
  const field = (name) => box.querySelector(`[name=${name}_${code}]`);
  if (!field("title")) return null;
  const keeper = { timer: 0, last: null, isDirty: false, area: field("body") };

  const read = () => {
    const editor = window.CKEDITOR && CKEDITOR.instances[keeper.area.id];
    return {
      title: field("title").value,
      lead: field("lead").value,
      body: editor && editor.status === "ready" ? editor.getData() : keeper.area.value,
    };
  };
  const payload = (texts) => {
    const data = new FormData();
    data.append("csrfmiddlewaretoken", form.querySelector("[name=csrfmiddlewaretoken]").value);
    data.append("language", code);
    data.append("article", words.article || "");
    data.append("base", (field("base") || {}).value || "0");
    Object.entries(texts).forEach(([name, text]) => data.append(name, text));
    return data;
  };
  const post = (texts) =>
    fetch(words.url, { method: "POST", body: payload(texts), redirect: "manual" });
  const isKept = (texts) => JSON.stringify(texts) === keeper.last;
  const tryAgain = (why) => {
    say(why, true);
    keeper.timer = setTimeout(keeper.send, AGAIN);
  };

  keeper.send = async () => {
    clearTimeout(keeper.timer);
    if (!keeper.isDirty || submitting) return;
    const texts = read();
    if (isKept(texts)) return;
    let answer;
    let isLoggedOut = false;
    try {
      answer = await post(texts);
      if (answer.status === 403) {
        isLoggedOut = !(await renew());
        if (!isLoggedOut) answer = await post(texts);
      }
    } catch {
      tryAgain(words.away);
      return;
    }
    if (answer.ok) {
      keeper.last = JSON.stringify(texts);
      const { kept, saved } = await answer.json();
      say(kept ? said(words.saved, { time: saved }) : "");
    } else if (answer.status === 413 || answer.status === 400) {
      say((await answer.json().catch(() => ({}))).error || words.tooLong, true);
    } else if (answer.status === 403 && !isLoggedOut) {
      say(words.forbidden, true);
    } else {
      tryAgain(isLoggedOut || leadsAway(answer) ? words.loggedOut : words.away);
    }
  };
  keeper.touch = () => {
    keeper.isDirty = true;
    clearTimeout(keeper.timer);
    keeper.timer = setTimeout(keeper.send, PAUSE);
  };
  /* The page is left or hidden: what the pause has not sent yet goes now, without an answer. A
     beacon takes 64 KB at most; a page that is only hidden can still send more the usual way. */
  keeper.flush = () => {
    if (!keeper.isDirty || submitting) return;
    const texts = read();
    if (isKept(texts)) return;
    if (!navigator.sendBeacon(words.url, payload(texts))) keeper.send();
  };
  ["title", "lead"].forEach((name) => field(name).addEventListener("input", keeper.touch));
  return keeper;
};

const watchEditors = (keepers) => {
  const watch = (editor) => {
    const keeper = keepers.find((one) => one.area === editor.element.$);
    if (keeper) editor.on("change", keeper.touch);
  };
  Object.values(CKEDITOR.instances).forEach(watch);
  CKEDITOR.on("instanceReady", (event) => watch(event.editor));
};

/* Whoever is logged out would lose with the page what they press Save for: ask first. */
const askBeforeSaving = (keepers) => {
  let asking = false;
  let mayGo = false;
  form.addEventListener("submit", async (event) => {
    if (mayGo) {
      submitting = true;
      return;
    }
    event.preventDefault();
    if (asking) return;
    asking = true;
    const problem = await renew().then((isIn) => (isIn ? "" : words.loggedOut), () => words.away);
    asking = false;
    if (problem) {
      say(problem, true);
      told.scrollIntoView({ block: "center" });
      keepers.filter((one) => one.isDirty).forEach((one) => one.touch());
      return;
    }
    mayGo = true;
    form.requestSubmit(event.submitter);
    mayGo = false;
  });
};

const begin = (marks) => {
  const keepers = marks.map(keeperOf).filter(Boolean);
  if (window.CKEDITOR) watchEditors(keepers);
  askBeforeSaving(keepers);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") keepers.forEach((one) => one.flush());
  });
  /* Back on a page that the browser kept as it was: it goes on keeping. */
  window.addEventListener("pageshow", () => { submitting = false; });
  window.addEventListener("pagehide", () => keepers.forEach((one) => one.flush()));
};

const marks = [...document.querySelectorAll("[data-draft-language]")];
if (told && marks.length) begin(marks);
