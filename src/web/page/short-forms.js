// Lines that begin with a slash, read as the server reads them (docs/protocol.md, "Short forms"). Nothing that looks
// like one is ever sent as text: an unknown or incomplete one gets the words that the server has for it. No page.

import { ALL_CLIENTS, NO_DATA, SERVER, write } from "./protocol.js";
import { isHidden } from "./text.js";

/** What keyboards and input methods give for a slash: `/`, fraction, division, big and full-width solidus. */
const SLASH = "[/\\u2044\\u2215\\u29f8\\uff0f]";
const SLASHED = new RegExp(`^${SLASH}`, "u");
/** A name in quotes, which phones turn into typographic ones, and what follows it. */
const QUOTES = '"\\u201c\\u201d\\u201e\\u00ab\\u00bb';
const QUOTED = new RegExp(`^[${QUOTES}]([^${QUOTES}]+)[${QUOTES}](?:\\s|$)?(.*)$`, "su");

/** What the server names in no hint. */
const UNNAMED = new Set(["publish", "limits"]);

/** The server's table of operations: short form, operation, example, and other words that people try. */
const TABLE = [
  ["echo", "echo", "/echo hi", "ping"],
  ["all", "broadcast", "/all hi", "say", "everyone", "all clients"],
  ["others", "broadcast_not_me", "/others hi", "other"],
  ["msg", "private_message", "/msg bob hi", "private", "message", "pm", "privmsg", "whisper", "tell"],
  ["list", "list_clients", "/list", "clients", "who", "users", "names"],
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
 * What a line that somebody typed asks for: { text } to be said, { operation, to, data }, or { why } it is held back,
 * in the server's words. Two slashes stand for one at the beginning of a text.
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

/** A text as it is typed so that `read` gives it back: a slash at its beginning is doubled. */
export function typed(text) {
  const { before, rest } = cut(text);
  return SLASHED.test(rest) ? `${before}/${rest}` : text;
}

/** The message that carries a command out. */
export function line(me, { operation, to, data }) {
  return write(me, to, operation, data);
}

/** Cuts off blanks and characters that are not seen: a slash behind them looks as if it came first. */
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
    case "list_clients":
    case "list_streams":
      return asks(SERVER);
    default:
      return asks("");
  }
}

/** The name at the beginning, in quotes if it holds blanks, and what follows the blank behind it. */
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

/** What a slip or another word most likely meant: at most one slip in three characters. */
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

/** Optimal string alignment: insertions, deletions, substitutions and exchanges of neighbours. */
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
