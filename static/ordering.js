/* The digest's articles, moved by the keyboard too: a button up and one down in each row. Unfold
   drags; the numbers below are what is saved, and what works without a script. */
(() => {
  const begin = () => {
    const words = document.getElementById("ordering");
    if (!words) return;
    const rows = () => [...document.querySelectorAll("#entries-data > tbody.form-group")]
      .filter((row) => row.querySelector("[name$=-position]:not([name*=__prefix__])"));
    const name = (row) => row.querySelector("select[name$=-article]")?.selectedOptions[0]?.textContent.trim() || "";
    const number = () => rows().forEach((row, place) => { row.querySelector("[name$=-position]").value = place + 1; });
    const move = (row, step, button) => {
      const all = rows();
      const other = all[all.indexOf(row) + step];
      if (!other) return;
      if (step < 0) other.before(row); else other.after(row);
      number();
      button.focus();
      words.textContent = words.dataset.moved
        .replace("{name}", name(row)).replace("{place}", rows().indexOf(row) + 1).replace("{all}", all.length);
    };
    rows().forEach((row) => {
      const box = document.createElement("span");
      box.className = "ordering";
      [["up", -1, "↑"], ["down", 1, "↓"]].forEach(([way, step, sign]) => {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = sign;
        button.setAttribute("aria-label", words.dataset[way].replace("{name}", name(row)));
        button.addEventListener("click", () => move(row, step, button));
        box.append(button);
      });
      row.querySelector("select[name$=-article]").closest("td").firstElementChild.append(box);
    });
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
