/* Polls a mailing's progress and replaces that part of the page, until the mailing is over. Without
   JavaScript, reloading the page shows the same. Hidden pages do not poll. */

const MAX_BACKOFF_SECONDS = 60;

const statusLine = document.getElementById("progress-said");
const section = () => document.getElementById("progress");
const initialStatus = section()?.dataset.status;
let timer;
let isPolling = false;
let failures = 0;

const stop = (message) => {
  clearTimeout(timer);
  document.removeEventListener("visibilitychange", onVisibilityChange);
  if (message) statusLine.textContent = message;
  statusLine.classList.toggle("sr-only", !message);
};

/* For screen readers: announces each tenth, not each letter. */
const announce = (before, after) => {
  const tenth = (part) => Math.floor(part.dataset.percent / 10);
  if (tenth(before) !== tenth(after)) statusLine.textContent = after.dataset.said;
};

/* The buttons are for the previous state: reloads, unless somebody is using one of them. */
const statusChanged = () => {
  const verbs = document.querySelector(".object-actions");
  if (verbs?.querySelector("details[open]") || verbs?.contains(document.activeElement)) {
    stop(statusLine.dataset.changed);
  } else {
    stop();
    location.reload();
  }
};

const schedule = (seconds) => {
  clearTimeout(timer);
  timer = setTimeout(poll, seconds * 1000);
};

/* The new section; null if polling again is pointless: logged out, or no permission. */
const fetchSection = async () => {
  const response = await fetch(statusLine.dataset.url, { redirect: "manual", cache: "no-store" });
  if (response.type === "opaqueredirect") return null;
  if (response.status >= 400 && response.status < 500) return null;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const part = page.getElementById("progress");
  if (!response.ok || !part) throw new Error(response.status);
  return part;
};

const poll = async () => {
  if (document.hidden || isPolling) return;
  isPolling = true;
  try {
    const after = await fetchSection();
    if (after === null) {
      stop(statusLine.dataset.stopped);
      return;
    }
    failures = 0;
    announce(section(), after);
    section().replaceWith(document.adoptNode(after));
    if (after.dataset.status !== initialStatus) statusChanged();
    else schedule(Number(after.dataset.again));
  } catch {
    failures += 1;
    schedule(Math.min(2 ** failures * 2, MAX_BACKOFF_SECONDS));
  } finally {
    isPolling = false;
  }
};

const onVisibilityChange = () => (document.hidden ? clearTimeout(timer) : poll());

if (statusLine && section() && !("over" in section().dataset)) {
  document.addEventListener("visibilitychange", onVisibilityChange);
  schedule(Number(section().dataset.again));
}
