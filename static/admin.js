// Replaces what the content security policy forbids Unfold: inline styles and handlers.

// htmx: no inline style element, no eval; the admin uses neither.
htmx.config.includeIndicatorStyles = false;
htmx.config.allowEval = false;

// The changelist's action bar: its width as a style property, not as an attribute.
document.addEventListener("alpine:init", () => {
  const bar = document.getElementById("changelist-actions");
  bar?.setAttribute("x-bind:style", "{ width: `${changeListWidth}px` }");
});
