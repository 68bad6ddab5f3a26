/* A mailing's progress keeps itself up to date: its part of the page is asked for anew, until the
   mailing is over. Without this a reload shows the same. Nothing is asked while nobody looks. */

/* Seconds between two questions, after any number of failures. */
const LONGEST = 60;

const told = document.getElementById("progress-said");
const moving = () => document.getElementById("progress");
const began = moving()?.dataset.status;
let timer;
let asking = false;
let failures = 0;

const stop = (why) => {
  clearTimeout(timer);
  document.removeEventListener("visibilitychange", look);
  if (why) told.textContent = why;
  told.classList.toggle("sr-only", !why);
};

/* Heard only now and then: each tenth, not each letter. */
const tell = (before, after) => {
  const tenth = (part) => Math.floor(part.dataset.percent / 10);
  if (tenth(before) !== tenth(after)) told.textContent = after.dataset.said;
};

/* The buttons are for the state that was. Nobody who is about to press one loses it. */
const changed = () => {
  const verbs = document.querySelector(".verbs");
  if (verbs?.querySelector("details[open]") || verbs?.contains(document.activeElement)) {
    stop(told.dataset.changed);
  } else {
    stop();
    location.reload();
  }
};

const wait = (seconds) => {
  clearTimeout(timer);
  timer = setTimeout(ask, seconds * 1000);
};

/* The part anew; null where no further question will be answered either. */
const fetched = async () => {
  const answer = await fetch(told.dataset.url, { redirect: "manual", cache: "no-store" });
  if (answer.type === "opaqueredirect") return null;
  if (answer.status >= 400 && answer.status < 500) return null;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const part = page.getElementById("progress");
  if (!answer.ok || !part) throw new Error(answer.status);
  return part;
};

const ask = async () => {
  if (document.hidden || asking) return;
  asking = true;
  try {
    const after = await fetched();
    if (after === null) {
      stop(told.dataset.stopped);
      return;
    }
    failures = 0;
    tell(moving(), after);
    moving().replaceWith(document.adoptNode(after));
    if (after.dataset.status !== began) changed();
    else wait(Number(after.dataset.again));
  } catch {
    failures += 1;
    wait(Math.min(2 ** failures * 2, LONGEST));
  } finally {
    asking = false;
  }
};

const look = () => (document.hidden ? clearTimeout(timer) : ask());

if (told && moving() && !("over" in moving().dataset)) {
  document.addEventListener("visibilitychange", look);
  wait(Number(moving().dataset.again));
}
