/* Fills in the named placeholders of a translated sentence: "{name} is now {place} of {all}." */
export const interpolate = (sentence, values) =>
  sentence.replace(/\{(\w+)\}/g, (place, name) => (name in values ? String(values[name]) : place));
