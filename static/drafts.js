/* Keeps what is typed as a draft on the server, a moment after the typing stops. One keeper for
   each element with data-draft-language; its words come from the data- attributes of #drafts. */
(() => {
const begin = () => {
  const PAUSE = 1500;
  const AGAIN = 5000;
  const told = document.getElementById("drafts");
  const marks = [...document.querySelectorAll("[data-draft-language]")];
  if (!told || !marks.length) return;
  const words = told.dataset;
  let submitting = false;

  const say = (text, isWrong) => {
    told.textContent = text;
    told.classList.toggle("alarm", Boolean(isWrong));
  };

  const token = () => document.querySelector("#article_form [name=csrfmiddlewaretoken]");

  /* After a new log-in in another tab the old token is no good: the form needs the new one too.
     False if one is logged out. */
  const renew = async () => {
    const answer = await fetch(words.url, { headers: { Accept: "application/json" }, redirect: "manual" });
    if (answer.type === "opaqueredirect" || answer.status === 403) return false;
    if (!answer.ok) return true;
    const fresh = (await answer.json()).token;
    document.querySelectorAll("[name=csrfmiddlewaretoken]").forEach((one) => { one.value = fresh; });
    return true;
  };

  const keeperOf = (mark) => {
    const code = mark.dataset.draftLanguage;
    const box = mark.closest("fieldset, [data-draft-box]");
    const field = (name) => box.querySelector(`[name=${name}_${code}]`);
    if (!field("title")) return null;
    const read = () => {
      const area = field("body");
      const editor = window.CKEDITOR && CKEDITOR.instances[area.id];
      return {
        title: field("title").value,
        lead: field("lead").value,
        body: editor && editor.status === "ready" ? editor.getData() : area.value,
      };
    };
    const keeper = { timer: 0, last: null, isDirty: false };
    const payload = (texts) => {
      const data = new FormData();
      data.append("csrfmiddlewaretoken", token().value);
      data.append("language", code);
      data.append("article", words.article || "");
      data.append("base", (field("base") || {}).value || "0");
      Object.entries(texts).forEach(([name, text]) => data.append(name, text));
      return data;
    };
    keeper.send = async () => {
      clearTimeout(keeper.timer);
      if (!keeper.isDirty || submitting) return;
      const texts = read();
      if (JSON.stringify(texts) === keeper.last) return;
      let answer;
      let isLoggedOut = false;
      try {
        answer = await fetch(words.url, { method: "POST", body: payload(texts), redirect: "manual" });
        if (answer.status === 403) {
          if (await renew()) {
            answer = await fetch(words.url, { method: "POST", body: payload(texts), redirect: "manual" });
          } else isLoggedOut = true;
        }
      } catch {
        say(words.away, true);
        keeper.timer = setTimeout(keeper.send, AGAIN);
        return;
      }
      if (answer.ok) {
        keeper.last = JSON.stringify(texts);
        const said = await answer.json();
        say(said.kept ? words.saved.replace("{time}", said.saved) : "");
        return;
      }
      if (answer.status === 413 || answer.status === 400) {
        say((await answer.json().catch(() => ({}))).error || words.tooLong, true);
        return;
      }
      if (answer.status === 403 && !isLoggedOut) {
        say(words.forbidden, true);
        return;
      }
      isLoggedOut = isLoggedOut || answer.type === "opaqueredirect";
      say(isLoggedOut ? words.loggedOut : words.away, true);
      keeper.timer = setTimeout(keeper.send, AGAIN);
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
      if (JSON.stringify(texts) === keeper.last) return;
      if (!navigator.sendBeacon(words.url, payload(texts))) keeper.send();
    };
    ["title", "lead"].forEach((name) => field(name).addEventListener("input", keeper.touch));
    keeper.area = field("body");
    return keeper;
  };

  const keepers = marks.map(keeperOf).filter(Boolean);
  if (window.CKEDITOR) {
    const watch = (editor) => {
      const keeper = keepers.find((one) => one.area === editor.element.$);
      if (keeper) editor.on("change", keeper.touch);
    };
    Object.values(CKEDITOR.instances).forEach(watch);
    CKEDITOR.on("instanceReady", (event) => watch(event.editor));
  }
  const form = document.getElementById("article_form");
  /* Whoever is logged out would lose with the page what they press Save for: ask first. */
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
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") keepers.forEach((one) => one.flush());
  });
  /* Back on a page that the browser kept as it was: it goes on keeping. */
  window.addEventListener("pageshow", () => { submitting = false; });
  window.addEventListener("pagehide", () => keepers.forEach((one) => one.flush()));
};
if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
else begin();
})();
