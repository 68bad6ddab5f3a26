/* Autosave: posts a draft a moment after the typing stops. One autosaver for each element with
   data-draft-language; messages come from the data- attributes of #autosave. */
import { interpolate } from "./interpolate.js";

const SAVE_DELAY_MS = 1500;
const RETRY_DELAY_MS = 5000;

const told = document.getElementById("autosave");
const words = told?.dataset;
const form = document.getElementById("article_form");
let submitting = false;

const say = (text, isWrong) => {
  told.textContent = text;
  told.classList.toggle("alarm", Boolean(isWrong));
};

/* Logged out, every request redirects to the log-in. */
const isRedirect = (answer) => answer.type === "opaqueredirect";

/* A new log-in in another tab rotates the CSRF token: the form needs the new one. False if
   logged out. */
const renewToken = async () => {
  const headers = { Accept: "application/json" };
  const answer = await fetch(words.url, { headers, redirect: "manual" });
  if (isRedirect(answer) || answer.status === 403) return false;
  if (!answer.ok) return true;
  const { token } = await answer.json();
  document.querySelectorAll("[name=csrfmiddlewaretoken]").forEach((one) => { one.value = token; });
  return true;
};

const autosaverOf = (mark) => {
  const code = mark.dataset.draftLanguage;
  const box = mark.closest("fieldset, [data-draft-box]");
  const field = (name) => box.querySelector(`[name=${name}_${code}]`);
  if (!field("title")) return null;
  const autosaver = { timer: 0, last: null, isDirty: false, area: field("body") };

  const read = () => {
    const editor = window.CKEDITOR && CKEDITOR.instances[autosaver.area.id];
    return {
      title: field("title").value,
      lead: field("lead").value,
      body: editor && editor.status === "ready" ? editor.getData() : autosaver.area.value,
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
  const isSaved = (texts) => JSON.stringify(texts) === autosaver.last;
  const retry = (why) => {
    say(why, true);
    autosaver.timer = setTimeout(autosaver.send, RETRY_DELAY_MS);
  };

  autosaver.send = async () => {
    clearTimeout(autosaver.timer);
    if (!autosaver.isDirty || submitting) return;
    const texts = read();
    if (isSaved(texts)) return;
    let answer;
    let isLoggedOut = false;
    try {
      answer = await post(texts);
      if (answer.status === 403) {
        isLoggedOut = !(await renewToken());
        if (!isLoggedOut) answer = await post(texts);
      }
    } catch {
      retry(words.away);
      return;
    }
    if (answer.ok) {
      autosaver.last = JSON.stringify(texts);
      const { kept, saved } = await answer.json();
      say(kept ? interpolate(words.saved, { time: saved }) : "");
    } else if (answer.status === 413 || answer.status === 400) {
      say((await answer.json().catch(() => ({}))).error || words.tooLong, true);
    } else if (answer.status === 403 && !isLoggedOut) {
      say(words.forbidden, true);
    } else {
      retry(isLoggedOut || isRedirect(answer) ? words.loggedOut : words.away);
    }
  };
  autosaver.touch = () => {
    autosaver.isDirty = true;
    clearTimeout(autosaver.timer);
    autosaver.timer = setTimeout(autosaver.send, SAVE_DELAY_MS);
  };
  /* The page is left or hidden: sends at once what is pending. A beacon takes 64 KB at most; a
     page that is only hidden can still send more by fetch. */
  autosaver.flush = () => {
    if (!autosaver.isDirty || submitting) return;
    const texts = read();
    if (isSaved(texts)) return;
    if (!navigator.sendBeacon(words.url, payload(texts))) autosaver.send();
  };
  ["title", "lead"].forEach((name) => field(name).addEventListener("input", autosaver.touch));
  return autosaver;
};

const watchEditors = (autosavers) => {
  const watch = (editor) => {
    const autosaver = autosavers.find((one) => one.area === editor.element.$);
    if (autosaver) editor.on("change", autosaver.touch);
  };
  Object.values(CKEDITOR.instances).forEach(watch);
  CKEDITOR.on("instanceReady", (event) => watch(event.editor));
};

/* Submitting while logged out would lose the text: check first. */
const askBeforeSaving = (autosavers) => {
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
    const problem = await renewToken()
      .then((isIn) => (isIn ? "" : words.loggedOut), () => words.away);
    asking = false;
    if (problem) {
      say(problem, true);
      told.scrollIntoView({ block: "center" });
      autosavers.filter((one) => one.isDirty).forEach((one) => one.touch());
      return;
    }
    mayGo = true;
    form.requestSubmit(event.submitter);
    mayGo = false;
  });
};

const begin = (marks) => {
  const autosavers = marks.map(autosaverOf).filter(Boolean);
  if (window.CKEDITOR) watchEditors(autosavers);
  askBeforeSaving(autosavers);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") autosavers.forEach((one) => one.flush());
  });
  /* Restored from the back/forward cache: autosave goes on. */
  window.addEventListener("pageshow", () => { submitting = false; });
  window.addEventListener("pagehide", () => autosavers.forEach((one) => one.flush()));
};

const marks = [...document.querySelectorAll("[data-draft-language]")];
if (told && marks.length) begin(marks);
