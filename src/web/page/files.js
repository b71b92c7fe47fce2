// Parses lists of files, the DATA of `list_files` in the form that Arauto's clients write (docs/protocol.md, "Lists of
// files"); other texts are kept as they are. No other file knows this form. No DOM.

/** Maximum number of messages that are joined to one listing. */
const PARTS = 200;

const HEAD = /^(?:files (?<first>\d+) to (?<last>\d+) of (?<of>\d+)|(?<all>\d+) files?): /;
const ENTRY = /(?:"(?<quoted>(?:[^"\\]|\\.)*)"|(?<bare>[^"(),;\\]+)) \((?<bytes>\d+) bytes?(?:, (?<length>[\d:]+))?(?:, (?<type>[\w.+-]+\/[\w.+-]+))?\)(?:, )?/uy;
const LEFT_OUT = /^(?:; (?<files>\d+) files? (?:is|are) not listed)?(?:; (?<folders>\d+) folders? (?:is|are) not listed)?(?<more>; not all was looked at)?$/;
const ESCAPE = /\\(?:u\{(?<point>[0-9a-f]{1,6})\}|x(?<byte>[0-9a-f]{2})|(?<letter>["\\nrt]))/giu;
const LETTERS = { n: "\n", r: "\r", t: "\t" };
/** Replaces an escaped byte, or an escaped number that is not a character. */
const STRAY = "\ufffd";

function unquoted(text) {
  return text.replace(ESCAPE, (...found) => {
    const { point, byte, letter } = found.at(-1);
    if (letter !== undefined) return LETTERS[letter] ?? letter;
    const code = parseInt(point ?? "110000", 16);
    return byte === undefined && code <= 0x10ffff ? String.fromCodePoint(code) : STRAY;
  });
}

/** Parses a message of a list: the position of its entries, the entries, and what is left out. Null if it is none. */
export function part(text) {
  const head = HEAD.exec(text);
  if (head === null) return null;
  const { first = 1, of = head.groups.all } = head.groups;
  const entries = [];
  ENTRY.lastIndex = head[0].length;
  let end = ENTRY.lastIndex;
  for (let found = ENTRY.exec(text); found !== null; found = ENTRY.exec(text)) {
    const { quoted, bare, bytes, length = null, type = null } = found.groups;
    entries.push({ name: quoted === undefined ? bare : unquoted(quoted), bytes: Number(bytes), length, type });
    end = ENTRY.lastIndex;
  }
  const rest = LEFT_OUT.exec(text.slice(end));
  if (entries.length === 0 || rest === null) return null;
  const { files = 0, folders = 0, more } = rest.groups;
  const leftOut = { files: Number(files), folders: Number(folders), more: more !== undefined };
  return { first: Number(first), of: Number(of), entries, leftOut };
}

/** Begins a listing with its first message; { words } if the text is not in the known form. */
export function listing(text) {
  const read = part(text);
  if (read === null) return { words: text };
  return { ...read, reached: read.first - 1 + read.entries.length, missing: read.first - 1, parts: 1 };
}

/** Adds the next message to a listing; false if it does not continue the listing, or this has PARTS messages. */
export function addPart(held, text) {
  const read = part(text);
  const goesOn = read !== null && held.words === undefined && read.of === held.of && read.first > held.reached;
  if (!goesOn || held.parts >= PARTS) return false;
  held.missing += read.first - 1 - held.reached;
  held.reached = read.first - 1 + read.entries.length;
  held.entries.push(...read.entries);
  held.leftOut = read.leftOut;
  held.parts += 1;
  return true;
}

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte", "petabyte"];

/** Formats a number of bytes with a decimal unit and at most one decimal. */
export function size(bytes, language) {
  const step = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
  // The short form of `byte` has the same word for one and for several.
  const unitDisplay = step === 0 ? "long" : "short";
  const options = { style: "unit", unit: UNITS[step], unitDisplay, maximumFractionDigits: 1 };
  return new Intl.NumberFormat(language, options).format(bytes / 1000 ** step);
}
