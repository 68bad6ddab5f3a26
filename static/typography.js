/* Quotation marks, dashes and apostrophes as a language writes them, and how long a text is. The
   marks of each language come from articles/text/typography.py. No DOM here. */
const LETTER = /[\p{L}\p{N}]/u;
const TYPED = new Set([" ", '"', "'"]);
const IN_WORD = /(?<=\p{L})’(?=\p{L})/gu;
/* [replacement, number of characters before it to delete] for a typed character, or null. */
export const replacementFor = (marks, typed, before) => {
  const previous = before.slice(-1);
  const opens = !previous || /[\s([{—–-]/.test(previous)
    || previous === marks.opening || previous === marks.inner_opening;
  if (typed === '"') {
    // In English the mark that closes an inner quotation is the apostrophe as well.
    const plain = before.replace(IN_WORD, "");
    const count = (mark) => (mark === marks.apostrophe ? plain : before).split(mark).length - 1;
    const isInside = count(marks.opening) > count(marks.closing);
    const isDeeper = marks.inner_opening !== marks.opening
      && count(marks.inner_opening) > count(marks.inner_closing);
    if (opens) return [isInside ? marks.inner_opening : marks.opening, 0];
    return [isInside && isDeeper ? marks.inner_closing : marks.closing, 0];
  }
  if (typed === "'") {
    if (LETTER.test(previous)) return [marks.apostrophe, 0];
    if (marks.inner_closing !== marks.apostrophe) return null;
    return [opens ? marks.inner_opening : marks.inner_closing, 0];
  }
  if (typed === "-" && previous === "-") return [marks.dash, 1];
  if (typed === " " && /\s-$/.test(before)) return [marks.spaced_dash, 2];
  return null;
};

/* Corrects a whole text; `state` is what precedes it in the same paragraph. */
export const correctText = (marks, text, state) => {
  let done = "";
  for (const letter of text.replace(/(\s)(?:--?|[–—])(?=\s)/g, "$1-")) {
    const mark = TYPED.has(letter) ? replacementFor(marks, letter, state + done) : null;
    if (mark && mark[1] <= done.length) done = done.slice(0, done.length - mark[1]) + mark[0];
    else done += letter;
  }
  return done;
};

const WORD = /[\p{L}\p{N}]+(?:[’'-][\p{L}\p{N}]+)*/gu;
const WORDS_PER_MINUTE = 200;

/* Number of words, and minutes of reading. */
export const length = (text) => {
  const words = (text.match(WORD) || []).length;
  return { words, minutes: Math.max(1, Math.round(words / WORDS_PER_MINUTE)) };
};
