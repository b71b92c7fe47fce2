// The connected clients, and how often the page requests their list. No DOM, no network.

import { fold } from "./protocol.js";

/** Maximum number of names that are kept. */
export const PEOPLE = 20_000;
const collator = new Intl.Collator(undefined, { sensitivity: "base", numeric: true });

export class People {
  #names = new Map();
  #gathered = null;
  #sorted = null;

  /** Removes all names. */
  clear() {
    this.#names = new Map();
    this.#gathered = null;
    this.#sorted = null;
  }

  /** Begins a new list, which was requested from the server and may arrive in several parts. */
  begin() {
    this.#gathered = new Map();
  }

  /** Whether a list is incomplete. */
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

  /** Replaces the names by the new list, which is complete. */
  finish() {
    if (!this.#gathered) return;
    this.#names = this.#gathered;
    this.#gathered = null;
    this.#sorted = null;
  }

  /** Adds a person from whom a message arrived. True if the name was not known. */
  heard(name) {
    const key = fold(name);
    // The server makes a list at one moment: before its first part arrives, the list is newer than this message.
    if (this.#gathered?.size > 0) this.#gathered.set(key, name);
    if (this.#names.has(key) || this.#names.size >= PEOPLE) return false;
    this.#names.set(key, name);
    this.#sorted = null;
    return true;
  }

  /** Removes a name of which the server says that no client has it any more. */
  gone(name) {
    this.#gathered?.delete(fold(name));
    if (this.#names.delete(fold(name))) this.#sorted = null;
  }

  /** Discards an incomplete list; the previous one stays. */
  abandon() {
    this.#gathered = null;
  }

  has(key) {
    return this.#names.has(key);
  }

  /** The name with this key, spelled as the person does, or null. */
  nameOf(key) {
    return this.#names.get(key) ?? null;
  }

  get size() {
    return this.#names.size;
  }

  /** [key, name] of all clients, in alphabetical order. */
  sorted() {
    this.#sorted ??= [...this.#names].sort((one, other) => collator.compare(one[1], other[1]));
    return this.#sorted;
  }
}

/** Interval in milliseconds between two lists of this many names: a long one costs the server and the network more. */
export function listEvery(names) {
  return Math.min(Math.max(10_000, names * 10), 60_000);
}

/** Minimum interval in milliseconds between two lists after a message from an unknown person. */
export function listSoonest(names) {
  return Math.min(Math.max(2_000, names * 4), 30_000);
}

/**
 * The rows of the sidebar that match the search: everyone (without a search only), the persons with a conversation,
 * then all other clients. After them, a search also lists the other conversations that are unread, with `isBeside`. A
 * row is { heading, count } or { key, name, here, mine, unread, isBeside }.
 */
export function rows(people, conversations, me, search) {
  const wanted = fold(search);
  const fits = (key) => wanted === "" || key.includes(wanted);
  const myKey = me === null ? null : fold(me);
  const row = ({ key, name, unread, isEveryone }, isBeside = false) => {
    return { key, name, here: isEveryone || people.has(key), mine: key === myKey, unread, isBeside };
  };
  const found = [];
  if (wanted === "") found.push(row(conversations.everyone));
  const persons = conversations.persons();
  const talked = persons.filter(({ key }) => fits(key));
  if (talked.length > 0) found.push({ heading: "conversations", count: talked.length });
  for (const conversation of talked) found.push(row(conversation));
  const talkedKeys = new Set(persons.map(({ key }) => key));
  const others = people.sorted().filter(([key]) => !talkedKeys.has(key) && fits(key));
  if (others.length > 0) found.push({ heading: "here", count: wanted === "" ? people.size : others.length });
  for (const [key, name] of others) found.push(row({ key, name, unread: 0 }));
  if (wanted === "") return found;
  const hidden = [conversations.everyone, ...persons.filter(({ key }) => !fits(key))];
  const beside = hidden.filter(({ unread }) => unread > 0);
  if (beside.length > 0) found.push({ heading: "unread", count: beside.length });
  for (const conversation of beside) found.push(row(conversation, true));
  return found;
}
