/* A picture's focal point: a click sets the two number fields, a marker shows them. */
const box = document.querySelector("[data-focus]");
const [x, y] = ["x", "y"].map((axis) => document.querySelector(`[name=focal_${axis}]`));

/* Whole per cent, clamped: a press may end outside the picture. */
const percent = (at, start, size) => Math.round(Math.min(Math.max((at - start) / size, 0), 1) * 100);

if (box && x && y) {
  const mark = box.querySelector(".focus-mark");
  const place = () => {
    mark.style.setProperty("left", `${x.value || 50}%`);
    mark.style.setProperty("top", `${y.value || 50}%`);
  };
  box.addEventListener("click", (event) => {
    const area = box.querySelector("img").getBoundingClientRect();
    x.value = percent(event.clientX, area.left, area.width);
    y.value = percent(event.clientY, area.top, area.height);
    place();
  });
  [x, y].forEach((field) => field.addEventListener("input", place));
  place();
}
