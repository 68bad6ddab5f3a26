/* A mailing's progress keeps itself up to date: its part of the page is asked for anew, until the
   mailing is over. Without this a reload shows the same. Nothing is asked while nobody looks. */
(() => {
  const LONGEST = 60;
  const begin = () => {
    const said = document.getElementById("progress-said");
    const moving = () => document.getElementById("progress");
    if (!said || !moving()) return;
    const began = moving().dataset.status;
    let timer, asking, failures = 0;

    const stop = (why) => {
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", look);
      if (why) said.textContent = why;
      said.classList.toggle("sr-only", !why);
    };
    // Heard only now and then: each tenth, not each letter.
    const tell = (before, after) => {
      const tenth = (part) => Math.floor(part.dataset.percent / 10);
      if (tenth(before) !== tenth(after)) said.textContent = after.dataset.said;
    };
    // The buttons are for the state that was. Nobody who is about to press one loses it.
    const changed = () => {
      const busy = document.querySelector(".verbs details[open]")
        || document.querySelector(".verbs")?.contains(document.activeElement);
      if (busy) stop(said.dataset.changed);
      else { stop(); location.reload(); }
    };
    const wait = (seconds) => {
      clearTimeout(timer);
      timer = setTimeout(ask, seconds * 1000);
    };
    const ask = async () => {
      if (document.hidden || asking) return;
      asking = true;
      try {
        const answer = await fetch(said.dataset.url, { redirect: "manual", cache: "no-store" });
        if (answer.type === "opaqueredirect" || (answer.status >= 400 && answer.status < 500)) {
          stop(said.dataset.stopped);
          return;
        }
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const after = page.getElementById("progress");
        if (!answer.ok || !after) throw new Error(answer.status);
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
    if ("over" in moving().dataset) return;
    document.addEventListener("visibilitychange", look);
    wait(Number(moving().dataset.again));
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
