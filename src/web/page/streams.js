// The streams that are on, and the files that the user has asked to hear. No DOM, no network.

import { bytes, fold } from "./protocol.js";

/** Maximum number of unanswered requests that are kept; the oldest is dropped first. */
export const ASKED = 16;
/** Time in milliseconds within which an unanswered request is not repeated by another press of its button. */
export const REPEAT_MS = 5_000;
/** Maximum number of streams that are shown. */
export const SHOWN = 100;

const STREAM = /^(?<title>.+), (?<listeners>\d+) listening, (?<elapsed>[\d:]+)(?: of (?<length>[\d:]+))?$/su;
/**
 * A stream's path, relative to the page: without the first slash, it also works if a proxy serves the page below a
 * folder.
 */
const PATH = /^https?:\/\/[^/]+\/([0-9a-f]{4}\?key=[0-9a-f]{32})$/u;
/** The server's text if a person cannot reach its audio. */
const UNREACHABLE =
  /^The server does not listen for audio at the address where (?<name>.+) reached it\. Its operator has to add that to media\.listen, or set media\.public_host$/su;

/** Parses an entry of the list of streams: { title, listeners, elapsed, length }; null if it is not one. */
export function stream(text) {
  const found = STREAM.exec(text)?.groups;
  return found ? { ...found, listeners: Number(found.listeners), length: found.length ?? null } : null;
}

/** Parses the reply of a client that plays a file: { path, file }; null if it is none. Without HTTP, `path` is null. */
export function offer(text) {
  const found = /^rtsps?:\/\/\S+ (?<http>\S+) (?<file>.+)$/su.exec(text)?.groups;
  return found ? { path: PATH.exec(found.http)?.[1] ?? null, file: found.file } : null;
}

/** Whether a file of a list is audio. */
export function isAudio({ type }) {
  return type !== null && type.startsWith("audio/");
}

export class Streams {
  /** The streams that are on: [{ title, name, file, listeners, elapsed, length }]. */
  on = [];
  /** Number of lists that were requested. */
  requested = 0;
  /** The number of the list that `on` holds, counted as `requested`. */
  current = 0;
  #gathered = null;
  #asked = [];

  /** Begins a new list, which was requested from the server. */
  begin() {
    this.requested += 1;
    this.#gathered = [];
  }

  /** Adds a stream to the new list. `isKnown(name)` says whether a client has this name; a title begins with one. */
  part(found, isKnown) {
    if (this.#gathered !== null && this.#gathered.length < SHOWN) this.#gathered.push(named(found, isKnown));
  }

  /** Replaces the list by the new one, which is complete. */
  finish() {
    if (this.#gathered === null) return;
    this.on = this.#gathered;
    this.current = this.requested;
    this.#gathered = null;
  }

  /** Forgets everything, at the end of a connection. */
  forget() {
    this.on = [];
    this.#gathered = null;
    this.#asked = [];
  }

  /** Records that the user asked a client for a file at the time `at`, in milliseconds. */
  ask(name, file, at) {
    this.#asked.push({ key: fold(name), name, file, at });
    if (this.#asked.length > ASKED) this.#asked.shift();
  }

  /** Whether the user asked for this file less than `REPEAT_MS` before `now`, and the client has not answered. */
  isAsked(name, file, now) {
    const key = fold(name);
    return this.#asked.some((asked) => asked.key === key && asked.file === file && now - asked.at < REPEAT_MS);
  }

  /** Answers a request: the client plays the file. False if the user did not ask for it. */
  plays(name, file) {
    return this.#take((asked) => asked.key === fold(name) && asked.file === file) !== null;
  }

  /** Answers a request: the client refuses. Returns the request whose file `why` names, or else the client's oldest. */
  cannot(name, why) {
    const key = fold(name);
    // The server ends the request by the same rule: the longest file that the reason contains, or else the first request.
    const rank = ({ file }) => (why.includes(file) ? bytes(file) : 0);
    const mine = this.#asked.filter((asked) => asked.key === key);
    const most = Math.max(...mine.map(rank));
    const meant = mine.find((asked) => rank(asked) === most);
    return this.#take((asked) => asked === meant);
  }

  /** Answers a request: the server refuses. Returns the request that `why` names, or else the latest, or null. */
  notPlayed(why) {
    const named = this.#take((asked) => isNamed(asked, why));
    return named ?? this.#asked.pop() ?? null;
  }

  /** The stream of this client's file, or null. */
  find(name, file) {
    const end = `: ${file}`;
    const fits = ({ title }) => title.endsWith(end) && fold(title.slice(0, -end.length)) === fold(name);
    return this.on.find(fits) ?? null;
  }

  #take(fits) {
    const place = this.#asked.findIndex(fits);
    return place < 0 ? null : this.#asked.splice(place, 1)[0];
  }
}

/** Whether a refusal by the server names this request, by the texts of docs/protocol.md, section Streams. */
function isNamed({ key, file }, why) {
  const unreachable = UNREACHABLE.exec(why)?.groups.name;
  if (unreachable !== undefined) return fold(unreachable) === key;
  // Names and files may hold all other characters of the text, so their border is known from the file alone.
  const border = `: ${file} does not play: `;
  for (let at = why.indexOf(border); at >= 0; at = why.indexOf(border, at + 1)) {
    if (fold(why.slice(0, at)) === key) return true;
  }
  return false;
}

/**
 * Splits a title such as `ana: song.mp3` into name and file. Both may contain `: `, so the name ends at the first
 * place where it is that of a connected client, or else at the first `: `.
 */
function named(found, isKnown) {
  const { title } = found;
  const cuts = [...title.matchAll(/: /gu)].map(({ index }) => index);
  const cut = cuts.find((place) => isKnown(title.slice(0, place))) ?? cuts[0] ?? 0;
  return { ...found, name: title.slice(0, cut), file: title.slice(cut + 2) };
}

/**
 * Interval in milliseconds between two lists of the streams. With more people it is longer, because all of them ask; while
 * the page plays a stream, it is half as long, because the list has the number of listeners.
 */
export function streamsEvery(people, isPlaying) {
  return Math.min(Math.max(10_000, people * 10), 60_000) / (isPlaying ? 2 : 1);
}
