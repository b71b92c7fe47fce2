// What people wrote, cut into pieces that can be shown without harm. No page.

/**
 * Control, format and separator characters, and blanks that are not seen: they could turn or hide the text around them.
 */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\uffa0]/u;
const JOINERS = /[\u200c\u200d]/;
/** Scripts and pictures between whose characters joiners are part of the spelling. */
const JOINED_SCRIPTS = [
  ..."Arabic Syriac Mongolian Devanagari Bengali Gurmukhi Gujarati Oriya".split(" "),
  ..."Tamil Telugu Kannada Malayalam Sinhala".split(" "),
];
const JOINED_LETTERS = JOINED_SCRIPTS.map((script) => `\\p{Script=${script}}`).join("");
const JOINED = new RegExp(`[\\p{Extended_Pictographic}\\p{Emoji_Modifier}\\ufe0f${JOINED_LETTERS}]`, "u");

/** Whether a character is not seen, or turns the text around it. */
export function isHidden(character) {
  return HIDDEN.test(character);
}

function code(character) {
  return `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
}

/** [{ text }] and [{ mark }]: a mark stands for one character that is not shown, such as `U+202E`. */
export function pieces(text) {
  const found = [];
  let plain = "";
  let before = "";
  for (const character of text) {
    const isJoiner = JOINERS.test(character) && JOINED.test(before);
    if (character !== "\t" && HIDDEN.test(character) && !isJoiner) {
      if (plain !== "") found.push({ text: plain });
      plain = "";
      found.push({ mark: code(character) });
    } else {
      plain += character;
    }
    before = character;
  }
  if (plain !== "") found.push({ text: plain });
  return found;
}

/** The same as one text, for the window's title and for labels. */
export function harmless(text) {
  return pieces(text)
    .map((piece) => piece.text ?? `[${piece.mark}]`)
    .join("");
}

/** A name inside a sentence: its direction does not reach beyond it. */
export function isolated(text) {
  return `\u2068${harmless(text)}\u2069`;
}
