// Finds characters that are invisible or change the direction of text. The server refuses a message that holds one; this
// is its rule (docs/protocol.md, "Invisible characters"). No DOM.

/** Characters that are hidden unless the text around them needs them. */
const MAY_HIDE = new RegExp(
  "[\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f" +
    "\\u3164\\ufe00-\\ufe0f\\ufeff\\uffa0\\ufff0-\\ufffb\\u{13430}-\\u{1343f}\\u{1bca0}-\\u{1bca3}\\u{1d173}-\\u{1d17a}" +
    "\\u{e0000}-\\u{e0fff}]",
  "u",
);

const NON_JOINER = "\u200c";
const JOINER = "\u200d";
/** Maximum number of marks that are skipped to find the letter below them. */
const MARKS = 8;
const MARK = /\p{M}/u;

/** Scripts whose letters have forms that depend on their neighbours. */
const JOINING_SCRIPTS = [
  ..."Adlam Arabic Balinese Bengali Brahmi Chakma Devanagari Grantha Gujarati Gurmukhi Hanifi_Rohingya".split(" "),
  ..."Javanese Kaithi Kannada Khmer Lepcha Limbu Malayalam Mandaic Manichaean Meetei_Mayek Mongolian".split(" "),
  ..."Myanmar Newa Nko Oriya Phags_Pa Sharada Sinhala Sogdian Sundanese Syloti_Nagri Syriac Tai_Tham".split(" "),
  ..."Takri Tamil Telugu Tibetan Tirhuta".split(" "),
];
/** A letter of such a script, or the tatweel, which several of them share. */
const JOINING = new RegExp(`[\\u0640${JOINING_SCRIPTS.map((script) => `\\p{Script=${script}}`).join("")}]`, "u");
/**
 * Psalter Pahlavi, Old Uyghur and Chorasmian, which nobody writes today. Their letters join only by Unicode's joining
 * types, which browsers do not offer; a non-joiner between two of them is left to the server.
 */
const ANCIENT = /[\u{10b80}-\u{10baf}\u{10f70}-\u{10fdf}]/u;
/** The characters of canonical combining class 9, which browsers do not offer either: they join two letters to one. */
const VIRAMA = new RegExp(
  "[\\u094d\\u09cd\\u0a4d\\u0acd\\u0b4d\\u0bcd\\u0c4d\\u0ccd\\u0d3b\\u0d3c\\u0d4d\\u0dca\\u0e3a\\u0eba" +
    "\\u0f84\\u1039\\u103a\\u1714\\u1715\\u1734\\u17d2\\u1a60\\u1b44\\u1baa\\u1bab\\u1bf2\\u1bf3\\u2d7f" +
    "\\ua806\\ua82c\\ua8c4\\ua953\\ua9c0\\uaaf6\\uabed\\u{10a3f}\\u{11046}\\u{11070}\\u{1107f}\\u{110b9}" +
    "\\u{11133}\\u{11134}\\u{111c0}\\u{11235}\\u{112ea}\\u{1134d}\\u{113ce}-\\u{113d0}\\u{11442}\\u{114c2}" +
    "\\u{115bf}\\u{1163f}\\u{116b6}\\u{1172b}\\u{11839}\\u{1193d}\\u{1193e}\\u{119e0}\\u{11a34}\\u{11a47}" +
    "\\u{11a99}\\u{11c3f}\\u{11d44}\\u{11d45}\\u{11d97}\\u{11f41}\\u{11f42}\\u{1612f}]",
  "u",
);

const PICTOGRAPH = /(?![\x00-\x7f])\p{Extended_Pictographic}/u;
/** What stands behind an emoji: the selector of its style, a skin tone, or tags. */
const BEHIND_EMOJI = /[\ufe0f\u{1f3fb}-\u{1f3ff}\u{e0020}-\u{e007f}]/u;
/** The tags after a black flag that spell the flag of a region, such as Scotland's (UTS 51, ED-14a). */
const FLAG = /(?<=\u{1f3f4})[\u{e0030}-\u{e0039}\u{e0061}-\u{e007a}]{3,6}\u{e007f}/gu;
const SELECTOR = /[\ufe00-\ufe0f]/u;
const IDEOGRAPH_SELECTOR = /[\u{e0100}-\u{e01ef}]/u;
const MONGOLIAN_SELECTOR = /[\u180b-\u180f]/u;
const MONGOLIAN_LETTER = /[\u1820-\u18aa]/u;
const UNSEEN = /[\p{White_Space}\p{Cc}]/u;

/** The place of the first hidden character in a text, in code points from 0; -1 if it has none. */
export function firstHidden(text) {
  if (!MAY_HIDE.test(text)) return -1;
  const all = [...text];
  const flags = flagPlaces(text);
  return all.findIndex((character, place) => MAY_HIDE.test(character) && !flags.has(place) && !isNeeded(all, place));
}

/** The places of tags that are part of a flag, in code points. */
function flagPlaces(text) {
  const places = new Set();
  for (const { 0: found, index } of text.matchAll(FLAG)) {
    const first = [...text.slice(0, index)].length;
    for (let place = first; place < first + [...found].length; place += 1) places.add(place);
  }
  return places;
}

/** Whether the text around a character needs it. */
function isNeeded(all, place) {
  const character = all[place];
  const before = all[place - 1] ?? "";
  const after = all[place + 1] ?? "";
  if (character === NON_JOINER || character === JOINER) {
    if (VIRAMA.test(before)) return true;
    if (character === JOINER && PICTOGRAPH.test(after) && PICTOGRAPH.test(last(all, place, BEHIND_EMOJI))) return true;
    if (character === NON_JOINER && isBetweenAncient(all, place)) return true;
    if (before === NON_JOINER || before === JOINER) return false;
    return JOINING.test(last(all, place, MARK, MARKS)) || JOINING.test(after);
  }
  if (SELECTOR.test(character)) return isSeen(before);
  if (IDEOGRAPH_SELECTOR.test(character)) return isSeen(before) && /\p{Alphabetic}/u.test(before);
  return MONGOLIAN_SELECTOR.test(character) && MONGOLIAN_LETTER.test(before);
}

function isBetweenAncient(all, place) {
  return ANCIENT.test(last(all, place, MARK)) && ANCIENT.test(next(all, place, MARK));
}

/** The character before a place, over at most `most` characters that fit `skipped`; "" if there is none. */
function last(all, place, skipped, most = Infinity) {
  let at = place - 1;
  while (at >= 0 && place - 1 - at < most && skipped.test(all[at])) at -= 1;
  return at >= 0 && !skipped.test(all[at]) ? all[at] : "";
}

/** The character after a place, over all that fit `skipped`; "" if there is none. */
function next(all, place, skipped) {
  return all.slice(place + 1).find((character) => !skipped.test(character)) ?? "";
}

function isSeen(character) {
  return character !== "" && !UNSEEN.test(character) && !MAY_HIDE.test(character);
}
