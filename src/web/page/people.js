// The connected clients, and the rows of the sidebar. No DOM, no network.

import { fold } from "./protocol.js";

/** Maximum number of names that are kept. */
export const PEOPLE = 20_000;
const collator = new Intl.Collator(undefined, { sensitivity: "base", numeric: true });

export class People {
  #names = new Map();
  /** The list that is coming, and whether the page has requested it. */
  #gathered = null;
  #isAsked = false;
  #sorted = null;

  /** Removes all names. */
  clear() {
    this.#names = new Map();
    this.#sorted = null;
    this.finish();
  }

  /** Begins a new list, which was requested from the server and may arrive in several parts. */
  begin() {
    this.#gathered = null;
    this.#isAsked = true;
  }

  /**
   * Takes the names of a list, or of a part of it at `place`. A complete list replaces the names. The server also sends
   * lists that were not requested, in place of changes.
   */
  part(names, place) {
    // A requested list without numbers may have further parts until it is finished.
    const isMore = place ? place.first > 1 : this.#isAsked;
    if (!isMore) this.#gathered = null;
    this.#gathered ??= new Map();
    add(this.#gathered, names);
    if (place && place.last < place.of) return;
    this.#names = new Map(this.#gathered);
    this.#sorted = null;
  }

  /** Handles that a requested list has ended, or will never end. */
  finish() {
    this.#gathered = null;
    this.#isAsked = false;
  }

  /** Adds people who have joined. */
  came(names) {
    add(this.#names, names);
    this.#sorted = null;
  }

  /** Removes people who have left. */
  departed(names) {
    for (const name of names) this.#names.delete(fold(name));
    this.#sorted = null;
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

/** Adds names to a map of names by key. */
function add(map, names) {
  for (const name of names) {
    if (map.size >= PEOPLE) return;
    if (name !== "") map.set(fold(name), name);
  }
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
