// TR2.23 messages as text: read, written, measured. No page, no network.

/** The most bytes of UTF-8 in a message, its four fields together, unless the server says otherwise. */
export const MESSAGE_BYTES = 1024;
export const SERVER = "server";
export const ALL_CLIENTS = "all clients";
export const NO_DATA = "no data";
/** What a browser answers to those who ask for its files, in the words of docs/protocol.md, "Lists of files". */
export const NO_FILES = "no folder is shared";
/** What a browser answers to those who want to hear one. */
export const NO_SOUND = "cannot: a browser shares no files";

const encoder = new TextEncoder();

/** The four fields of a frame, or null if it is no message. DATA keeps its further pipes. */
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

/** One message as it goes over the wire. */
export function write(sender, destination, operation, data = NO_DATA) {
  return `${sender} | ${destination} | ${operation} | ${data}`;
}

/** How many bytes a text has in UTF-8. */
export function bytes(text) {
  return encoder.encode(text).length;
}

/** What makes two names the same to this page. The server has the last word: it compares a little more strictly. */
export function fold(name) {
  return name.normalize("NFKC").toLowerCase().replace(/\s+/g, " ").trim();
}

/** The first character that the server takes in no message, as { place, code }; place counts characters from 1. */
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

/** The lines of a text that are worth sending, each of which becomes one message. */
export function lines(text) {
  return text.split(/\r\n|[\n\r\u2028\u2029]/).filter((line) => line.trim() !== "");
}
