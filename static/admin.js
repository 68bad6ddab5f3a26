// What Unfold would write into the page as text, and the admin's policy forbids, said otherwise.

// htmx: neither a style element of its own nor handlers made of text; the admin uses none here.
htmx.config.includeIndicatorStyles = false;
htmx.config.allowEval = false;

// The bar of a list's actions is as wide as the list: set as a property, not as an attribute.
document.addEventListener("alpine:init", () => {
  const bar = document.getElementById("changelist-actions");
  bar?.setAttribute("x-bind:style", "{ width: `${changeListWidth}px` }");
});
