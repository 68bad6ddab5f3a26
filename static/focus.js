/* A picture's focal point: a click on the picture sets the two numbers, and a mark shows them. */
(() => {
  const begin = () => {
    const box = document.querySelector("[data-focus]");
    const [x, y] = ["x", "y"].map((axis) => document.querySelector(`[name=focal_${axis}]`));
    if (!box || !x || !y) return;
    const mark = box.querySelector(".focus-mark");
    const place = () => {
      mark.style.setProperty("left", `${x.value || 50}%`);
      mark.style.setProperty("top", `${y.value || 50}%`);
    };
    box.addEventListener("click", (event) => {
      const area = box.querySelector("img").getBoundingClientRect();
      const per = (at, start, size) => Math.round(Math.min(Math.max((at - start) / size, 0), 1) * 100);
      x.value = per(event.clientX, area.left, area.width);
      y.value = per(event.clientY, area.top, area.height);
      place();
    });
    [x, y].forEach((field) => field.addEventListener("input", place));
    place();
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
