/* A sentence of the page's, whose places are named: "{name} is now {place} of {all}." */
export const said = (sentence, values) =>
  sentence.replace(/\{(\w+)\}/g, (place, name) => (name in values ? String(values[name]) : place));
