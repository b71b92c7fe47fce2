// Splits text from other clients into pieces that are safe to show. No DOM.

/**
 * Control, format and separator characters, and invisible blanks: they could reorder or hide the text around them.
 */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\uffa0]/u;
/**
 * Scripts in which U+200C and U+200D are part of the spelling, because their letters join or they have a virama
 * (RFC 5892, appendices A.1 and A.2). A mark that several scripts share counts as each of them.
 */
const JOINED_SCRIPTS = [
  ..."Arabic Syriac Nko Mandaic Mongolian Phags_Pa Adlam Hanifi_Rohingya".split(" "),
  ..."Devanagari Bengali Gurmukhi Gujarati Oriya Tamil Telugu Kannada Malayalam Sinhala".split(" "),
  ..."Tibetan Myanmar Khmer Balinese Javanese Sundanese".split(" "),
];
const JOINED_LETTERS = JOINED_SCRIPTS.map((script) => `\\p{Script_Extensions=${script}}`).join("");
/** A joiner after a letter of such a script, or U+200D between two parts of one emoji (UTS 51, ED-16). */
const JOINED = new RegExp(
  `(?<=[${JOINED_LETTERS}])[\\u200c\\u200d]|` +
    "(?<=[\\p{Extended_Pictographic}\\p{Emoji_Modifier}\\ufe0f])\\u200d(?=\\p{Extended_Pictographic})",
  "gu",
);
/** Characters of which each match of `JOINED` or `TAGGED` contains at least one. */
const UNSEEN = /[\u200c\u200d\u{e007f}]/u;
/** The tag characters after a black flag that spell the flag of a region, such as Scotland's (UTS 51, ED-14a). */
const TAGGED = /(?<=\u{1f3f4})[\u{e0030}-\u{e0039}\u{e0061}-\u{e007a}]{3,6}\u{e007f}/gu;

/** Whether a character is invisible, or reorders the text around it. */
export function isHidden(character) {
  return HIDDEN.test(character);
}

function code(character) {
  return `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
}

/** The positions of the invisible characters that are part of a text's spelling. */
function spelling(text) {
  const places = new Set();
  // Most texts contain none of these characters; this saves the slower patterns.
  if (!UNSEEN.test(text)) return places;
  for (const pattern of [JOINED, TAGGED]) {
    for (const { 0: found, index } of text.matchAll(pattern)) {
      for (let place = index; place < index + found.length; place += 1) places.add(place);
    }
  }
  return places;
}

/** Splits a text into what users see as single characters. */
const letters = Intl.Segmenter
  ? (text) => Array.from(new Intl.Segmenter().segment(text), ({ segment }) => segment)
  : (text) => [...text];

/** Splits a name before its last `most` characters, or in its middle if it is short. */
export function split(name, most) {
  const all = letters(name);
  const place = Math.max(all.length - most, Math.ceil(all.length / 2));
  return [all.slice(0, place).join(""), all.slice(place).join("")];
}

/** Splits a text into { text } and { mark }; a mark such as `U+202E` replaces an invisible character. */
export function pieces(text) {
  const found = [];
  let plain = "";
  let place = 0;
  const spelled = spelling(text);
  for (const character of text) {
    if (character !== "\t" && HIDDEN.test(character) && !spelled.has(place)) {
      if (plain !== "") found.push({ text: plain });
      plain = "";
      found.push({ mark: code(character) });
    } else {
      plain += character;
    }
    place += character.length;
  }
  if (plain !== "") found.push({ text: plain });
  return found;
}

/** As `pieces`, joined to one text with the marks in brackets, for the window's title and for labels. */
export function harmless(text) {
  return pieces(text)
    .map((piece) => piece.text ?? `[${piece.mark}]`)
    .join("");
}

/** A name for use inside a sentence: directional isolates confine its writing direction. */
export function isolated(text) {
  return `\u2068${harmless(text)}\u2069`;
}
