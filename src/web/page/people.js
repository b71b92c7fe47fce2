// Who is here, and how often that is asked. No page, no network.

import { fold } from "./protocol.js";

/** The most names that are kept. */
export const PEOPLE = 20_000;
const collator = new Intl.Collator(undefined, { sensitivity: "base", numeric: true });

export class People {
  #names = new Map();
  #gathered = null;
  #sorted = null;

  /** Forgets everyone. */
  clear() {
    this.#names = new Map();
    this.#gathered = null;
    this.#sorted = null;
  }

  /** A list was asked for; it may come in several parts. */
  begin() {
    this.#gathered = new Map();
  }

  /** Whether the last part is still to come. */
  get isGathering() {
    return this.#gathered !== null;
  }

  part(names) {
    this.#gathered ??= new Map();
    for (const name of names) {
      if (this.#gathered.size >= PEOPLE) return;
      if (name !== "") this.#gathered.set(fold(name), name);
    }
  }

  /** The last part has come. */
  finish() {
    if (!this.#gathered) return;
    this.#names = this.#gathered;
    this.#gathered = null;
    this.#sorted = null;
  }

  /** Someone speaks, and so is here. True if that is news. */
  heard(name) {
    const key = fold(name);
    this.#gathered?.set(key, name);
    if (this.#names.has(key) || this.#names.size >= PEOPLE) return false;
    this.#names.set(key, name);
    this.#sorted = null;
    return true;
  }

  /** The server says that nobody bears this name. */
  gone(name) {
    this.#gathered?.delete(fold(name));
    if (this.#names.delete(fold(name))) this.#sorted = null;
  }

  /** The list that was asked for will not come. Who was here last is still shown. */
  abandon() {
    this.#gathered = null;
  }

  has(key) {
    return this.#names.has(key);
  }

  /** The name as its bearer writes it, or null. */
  nameOf(key) {
    return this.#names.get(key) ?? null;
  }

  get size() {
    return this.#names.size;
  }

  /** [key, name] of everyone, by the alphabet. */
  sorted() {
    this.#sorted ??= [...this.#names].sort((one, other) => collator.compare(one[1], other[1]));
    return this.#sorted;
  }
}

/** How many milliseconds to leave between two lists of so many names: a long one costs the server and the line more. */
export function listEvery(names) {
  return Math.min(Math.max(10_000, names * 10), 60_000);
}

/** The least time between two lists when someone unknown speaks. */
export function listSoonest(names) {
  return Math.min(Math.max(2_000, names * 4), 30_000);
}

/**
 * The rows of the list beside the conversation, narrowed by what was typed into the search field: everyone, those one
 * talks with, then who else is here. A row is { heading } or { key, name, here, mine, unread }.
 */
export function rows(people, conversations, me, search) {
  const wanted = fold(search);
  const fits = (key) => wanted === "" || key.includes(wanted);
  const myKey = me === null ? null : fold(me);
  const found = [];
  if (wanted === "") {
    const { key, unread } = conversations.everyone;
    found.push({ key, name: "", here: true, mine: false, unread });
  }
  const persons = conversations.persons();
  const talked = persons.filter(({ key }) => fits(key));
  if (talked.length > 0) found.push({ heading: "conversations", count: talked.length });
  for (const { key, name, unread } of talked) {
    found.push({ key, name, here: people.has(key), mine: key === myKey, unread });
  }
  const talkedKeys = new Set(persons.map(({ key }) => key));
  const others = people.sorted().filter(([key]) => !talkedKeys.has(key) && fits(key));
  if (others.length > 0) found.push({ heading: "here", count: wanted === "" ? people.size : others.length });
  for (const [key, name] of others) found.push({ key, name, here: true, mine: key === myKey, unread: 0 });
  return found;
}
