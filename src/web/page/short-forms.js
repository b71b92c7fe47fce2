// Parses lines that begin with a slash as the server does (docs/protocol.md, "Short forms"). A line that looks like a
// short form is never sent as text: for an unknown or incomplete one, the page shows the server's error text. No DOM.

import { firstHidden } from "./hidden.js";
import { ALL_CLIENTS, NO_DATA, SERVER, write } from "./protocol.js";
import { isHidden } from "./text.js";

/** The slashes that keyboards and input methods enter: `/`, fraction, division, big and full-width solidus. */
const SLASH = "[/\\u2044\\u2215\\u29f8\\uff0f]";
const SLASHED = new RegExp(`^${SLASH}`, "u");
/** A name in quotes, and the text after it. Phones replace plain quotes by typographic ones. */
const QUOTES = '"\\u201c\\u201d\\u201e\\u00ab\\u00bb';
const QUOTED = new RegExp(`^[${QUOTES}]([^${QUOTES}]+)[${QUOTES}](?:\\s|$)?(.*)$`, "su");

/** Operations that the server never suggests. */
const UNNAMED = new Set(["publish", "limits"]);

/** The server's table of operations: short form, operation, example, and other words that users try. */
const TABLE = [
  ["echo", "echo", "/echo hi", "ping"],
  ["all", "broadcast", "/all hi", "say", "everyone", "all clients"],
  ["others", "broadcast_not_me", "/others hi", "other"],
  ["msg", "private_message", "/msg bob hi", "private", "message", "pm", "privmsg", "whisper", "tell"],
  ["list", "list_clients", "/list", "clients", "who", "users", "names"],
  ["watch", "watch", "/watch", "presence", "notify"],
  ["unwatch", "unwatch", "/unwatch"],
  ["tags", "tags", "/tags on", "ids", "timestamps"],
  ["files", "list_files", "/files bob", "ls", "dir"],
  ["play", "play", "/play ana song.mp3", "listen", "hear"],
  ["streams", "list_streams", "/streams", "playing", "on air"],
  ["stop", "stop", "/stop song.mp3"],
  ["exit", "exit", "/exit", "quit", "bye", "leave", "logout"],
  ["close", "close_server", "/close", "close server", "shutdown"],
  ["kick", "kick", "/kick bob being rude", "disconnect"],
  ["ban", "ban", "/ban bob 1h being rude", "block"],
  ["unban", "unban", "/unban bob", "unblock", "pardon"],
  ["bans", "list_bans", "/bans", "banned"],
  ["help", "help", "/help", "h", "?", "man", "commands"],
  ["publish", "publish", "/play ana song.mp3"],
  ["limits", "limits", "/limits"],
].map(([short, operation, example, ...also]) => ({ short, operation, example, also }));

/**
 * Parses a line that the user typed: { text } to send, { operation, to, data } for a short form, or { why } it is not
 * sent, as the server words it. Two slashes at the beginning of a text stand for one. `hasWords` is set if words follow
 * a short form that ends the session, which may be a text that begins with a slash.
 */
export function read(line) {
  const { before, rest } = cut(line);
  if (!SLASHED.test(rest)) return { text: line };
  const after = rest.slice(1);
  if (SLASHED.test(after)) return { text: before + after };
  const [, word, given] = /^(\S*)(?:\s(.*))?$/su.exec(after) ?? [null, after, ""];
  const row = TABLE.find(({ short }) => short === word);
  if (!row) return { why: unknown(word) };
  return command(row, given ?? "");
}

/** The line from which `read` returns this text: a slash at its beginning is doubled. */
export function typed(text) {
  const { before, rest } = cut(text);
  return SLASHED.test(rest) ? `${before}/${rest}` : text;
}

/**
 * The first hidden character of what would be sent: { place, code }, with its place in the typed line from 1; null if
 * there is none. `action` is what `read` made of the line.
 */
export function hiddenIn(typedLine, action) {
  const sent = [...(action.text ?? `${action.to} ${action.data}`)];
  const index = firstHidden(sent.join(""));
  if (index < 0) return null;
  const character = sent[index];
  // The line holds the same characters in the same order; before a short form, there may be others, which are not sent.
  const from = action.text === undefined ? [...cut(typedLine).before].length : 0;
  let before = sent.slice(0, index).filter((other) => other === character).length;
  const place = [...typedLine].findIndex((other, at) => at >= from && other === character && (before -= 1) < 0);
  return { place: place + 1, code: character.codePointAt(0) };
}

/** The message that requests this operation. */
export function line(me, { operation, to, data }) {
  return write(me, to, operation, data);
}

/** Splits off leading blanks and invisible characters: a slash after them looks as if it came first. */
function cut(line) {
  let end = 0;
  for (const character of line) {
    if (character.trim() !== "" && !isHidden(character)) break;
    end += character.length;
  }
  return { before: line.slice(0, end), rest: line.slice(end) };
}

function command({ short, operation, example }, given) {
  const missing = (what) => ({ why: `After /${short} ${what} is missing. Type: ${example}` });
  const asks = (to, data = NO_DATA) => ({ operation, to, data });
  const { name, rest } = named(given);
  const file = unquoted(given.trim());
  const ofPerson = unquoted(rest.trim());
  switch (operation) {
    case "broadcast":
    case "broadcast_not_me":
    case "echo":
      return given.trim() === "" ? missing("the text") : asks(operation === "echo" ? "" : ALL_CLIENTS, given);
    case "private_message":
      if (name === "") return missing("a name");
      return rest.trim() === "" ? missing("the text") : asks(name, rest);
    case "kick":
    case "ban":
      return name === "" ? missing("a name") : asks(name, rest.trim() === "" ? NO_DATA : rest);
    case "play":
      if (name === "") return missing("a name");
      return ofPerson === "" ? missing("a file") : asks(name, ofPerson);
    case "stop":
      return file === "" ? missing("a file") : asks("", file);
    case "list_files":
    case "unban":
      return asks(file);
    case "tags":
      return { why: "This page shows the time of each message" };
    case "unwatch":
      return { why: "This page always shows who joins and leaves" };
    case "list_clients":
    case "list_streams":
      return asks(SERVER);
    case "exit":
    case "close_server":
      return { ...asks(""), hasWords: given.trim() !== "" };
    default:
      return asks("");
  }
}

/** Splits off the name at the beginning, which is in quotes if it contains blanks, and the blank after it. */
function named(given) {
  const text = given.trimStart();
  const [, name, rest] = QUOTED.exec(text) ?? /^(\S*)(?:\s(.*))?$/su.exec(text);
  return { name, rest: rest ?? "" };
}

function unquoted(text) {
  const found = QUOTED.exec(text);
  return found && found[2] === "" ? found[1] : text;
}

function unknown(word) {
  const near = nearest(word);
  const advice = near ? `. Did you mean /${near.short}? Type: ${near.example}` : "";
  const characters = [...word];
  const clean = (character) => (/[\p{Cc}|]/u.test(character) ? "\ufffd" : character);
  const quoted = characters.slice(0, 40).map(clean).join("") + (characters.length > 40 ? "…" : "");
  return `/${quoted} is not known${advice}. /help shows all operations`;
}

/** The row that a mistyped or alternative word most likely means, with at most one typing error in three characters. */
function nearest(typedWord) {
  const word = typedWord.trim().toLowerCase();
  if (new TextEncoder().encode(word).length > 32) return null;
  const exact = TABLE.find((row) => row.operation === word || row.short === word || row.also.includes(word));
  if (exact) return exact;
  let found = null;
  let least = Infinity;
  for (const row of TABLE.filter(({ operation }) => !UNNAMED.has(operation))) {
    for (const name of [row.operation, row.short]) {
      const slips = distance(name, word);
      if (slips * 3 <= name.length && slips < least) {
        least = slips;
        found = row;
      }
    }
  }
  return found;
}

/** Optimal string alignment distance: insertions, deletions, substitutions, transpositions of adjacent characters. */
function distance(one, other) {
  const [from, to] = [[...one], [...other]];
  let older = [];
  let last = Array.from({ length: to.length + 1 }, (_, place) => place);
  for (let i = 1; i <= from.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const cost = from[i - 1] === to[j - 1] ? 0 : 1;
      row[j] = Math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + cost);
      const isExchange = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      if (isExchange) row[j] = Math.min(row[j], older[j - 2] + 1);
    }
    older = last;
    last = row;
  }
  return last[to.length];
}
