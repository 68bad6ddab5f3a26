/* Up and down buttons for a digest's articles, beside Unfold's drag and drop. The number fields are
   what is saved; they work without JavaScript. */
import { interpolate } from "./interpolate.js";

const POSITION = "[name$=-position]";
const WAYS = [["up", -1, "↑"], ["down", 1, "↓"]];
const told = document.getElementById("ordering");

const chooser = (row) => row.querySelector("select[name$=-article]");
const nameOf = (row) => chooser(row)?.selectedOptions[0]?.textContent.trim() || "";
const rows = () => [...document.querySelectorAll("#entries-data > tbody.form-group")]
  .filter((row) => row.querySelector(`${POSITION}:not([name*=__prefix__])`));

const move = (row, step, button) => {
  const all = rows();
  const other = all[all.indexOf(row) + step];
  if (!other) return;
  if (step < 0) other.before(row);
  else other.after(row);
  rows().forEach((one, place) => { one.querySelector(POSITION).value = place + 1; });
  button.focus();
  const place = rows().indexOf(row) + 1;
  told.textContent = interpolate(told.dataset.moved, { name: nameOf(row), place, all: all.length });
};

const addButtons = (row) => {
  const box = document.createElement("span");
  box.className = "ordering";
  for (const [way, step, sign] of WAYS) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = sign;
    button.setAttribute("aria-label", interpolate(told.dataset[way], { name: nameOf(row) }));
    button.addEventListener("click", () => move(row, step, button));
    box.append(button);
  }
  chooser(row).closest("td").firstElementChild.append(box);
};

if (told) rows().forEach(addButtons);
