// Parses, writes and measures TR2.23 messages. No DOM, no network.

/** Default of the maximum length of a message with all four fields, in bytes of UTF-8; the server may set another. */
export const MESSAGE_BYTES = 1024;
export const SERVER = "server";
export const ALL_CLIENTS = "all clients";
export const NO_DATA = "no data";
/** The answer to a request for this client's files, as docs/protocol.md words it ("Lists of files"). */
export const NO_FILES = "no folder is shared";
/** The answer to a request to play a file. */
export const NO_SOUND = "cannot: a browser shares no files";

const encoder = new TextEncoder();

/** Splits a frame into its four fields; null if it is not a message. DATA may contain further pipes. */
export function parse(frame) {
  const header = [];
  let rest = frame;
  for (let field = 0; field < 3; field += 1) {
    const pipe = rest.indexOf("|");
    if (pipe < 0) return null;
    header.push(rest.slice(0, pipe).replace(/^[ \t]+|[ \t]+$/g, ""));
    rest = rest.slice(pipe + 1);
  }
  const [sender, destination, operation] = header;
  return { sender, destination, operation, data: rest.startsWith(" ") ? rest.slice(1) : rest };
}

/** A message as sent on the wire. */
export function write(sender, destination, operation, data = NO_DATA) {
  return `${sender} | ${destination} | ${operation} | ${data}`;
}

/** The length of a text in bytes of UTF-8. */
export function bytes(text) {
  return encoder.encode(text).length;
}

/** The key of a name: names with equal keys are the same to the page. The server's comparison is slightly stricter. */
export function fold(name) {
  return name.normalize("NFKC").toLowerCase().replace(/\s+/g, " ").trim();
}

/** The first character that the server accepts in no message: { place, code }, with places from 1; null if none. */
export function forbidden(text) {
  let place = 0;
  for (const character of text) {
    place += 1;
    const code = character.codePointAt(0);
    const isControl = code < 0x20 || (code >= 0x7f && code <= 0x9f);
    if (isControl && character !== "\t") return { place, code };
  }
  return null;
}

/** The lines of a text that are not blank, each of which is sent as one message. */
export function lines(text) {
  return text.split(/\r\n|[\n\r\u2028\u2029]/).filter((line) => line.trim() !== "");
}
