// What is played to others, and what one has asked to hear. No page, no network.

import { fold } from "./protocol.js";

/** The most that are remembered of what was asked for and is not answered; the oldest is forgotten first. */
export const ASKED = 16;
/** The most streams that are shown. */
export const SHOWN = 100;

const STREAM = /^(?<title>.+), (?<listeners>\d+) listening, (?<elapsed>[\d:]+)(?: of (?<length>[\d:]+))?$/su;
/**
 * The part of an address that is the same wherever the page came from. Without the first slash it counts from the page,
 * which a proxy may have below a folder of its own.
 */
const PATH = /^https?:\/\/[^/]+\/([0-9a-f]{4}\?key=[0-9a-f]{32})$/u;

/** One line of the list of what is on, as { title, listeners, elapsed, length }; null if it is none. */
export function stream(text) {
  const found = STREAM.exec(text)?.groups;
  return found ? { ...found, listeners: Number(found.listeners), length: found.length ?? null } : null;
}

/** Where a file is to be heard: { path, file }; the path is null where the server plays nothing by HTTP. Null if it is none. */
export function offer(text) {
  const found = /^rtsps?:\/\/\S+ (?<http>\S+) (?<file>.+)$/su.exec(text)?.groups;
  return found ? { path: PATH.exec(found.http)?.[1] ?? null, file: found.file } : null;
}

/** Whether a file of a list can be heard. */
export function isAudio({ type }) {
  return type !== null && type.startsWith("audio/");
}

export class Streams {
  /** What is on: [{ title, name, file, listeners, elapsed, length }]. */
  on = [];
  #gathered = null;
  #asked = [];

  /** The list was asked for. */
  begin() {
    this.#gathered = [];
  }

  /** One stream of it. `isKnown` tells names of people, of which a title begins with one. */
  part(found, isKnown) {
    if (this.#gathered !== null && this.#gathered.length < SHOWN) this.#gathered.push(named(found, isKnown));
  }

  /** All have come. */
  finish() {
    if (this.#gathered !== null) this.on = this.#gathered;
    this.#gathered = null;
  }

  /** The connection is gone. */
  forget() {
    this.on = [];
    this.#gathered = null;
    this.#asked = [];
  }

  /** One wants to hear a file. */
  ask(name, file) {
    this.#asked.push({ key: fold(name), name, file });
    if (this.#asked.length > ASKED) this.#asked.shift();
  }

  /** Somebody plays a file. False if that was not asked for. */
  plays(name, file) {
    return this.#take((asked) => asked.key === fold(name) && asked.file === file) !== null;
  }

  /** Somebody says that there will be nothing to hear: which it was that was asked for. */
  cannot(name, why) {
    const mine = (asked) => asked.key === fold(name);
    return this.#take((asked) => mine(asked) && why.includes(asked.file)) ?? this.#take(mine);
  }

  /** The server says so: whom it was asked of, or null. What is not named was asked for last. */
  notPlayed(why) {
    const named = this.#take((asked) => why.startsWith(`${asked.name}: ${asked.file} `));
    return named ?? this.#asked.pop() ?? null;
  }

  /** What is on of this person's by this name, or null. */
  find(name, file) {
    return this.on.find((stream) => stream.file === file && fold(stream.name) === fold(name)) ?? null;
  }

  #take(fits) {
    const place = this.#asked.findIndex(fits);
    return place < 0 ? null : this.#asked.splice(place, 1)[0];
  }
}

/** `ana: song.mp3` as name and file. Names may hold the same signs: whose it is, is who is here. */
function named(found, isKnown) {
  const { title } = found;
  const cuts = [...title.matchAll(/: /gu)].map(({ index }) => index);
  const cut = cuts.find((place) => isKnown(title.slice(0, place))) ?? cuts[0] ?? 0;
  return { ...found, name: title.slice(0, cut), file: title.slice(cut + 2) };
}
