// The entries of all conversations: one with everyone, and one with each person. No DOM, no network.

import { fold } from "./protocol.js";

/** Maximum number of entries that a conversation keeps, and all together; the oldest are dropped first. */
export const ENTRIES = 20_000;
export const ENTRIES_IN_ALL = 60_000;
/** Maximum number of conversations with persons; the one with the oldest last entry is dropped first. */
export const CONVERSATIONS = 5_000;
/** Number of entries dropped at once, so that not each new entry moves the whole array. */
const SHEAR = 500;

/** The key of the conversation with everyone. No name folds to it, because none begins with a blank. */
export const EVERYONE = " everyone";

/**
 * Entries have these fields: `kind` (said, note, error, server or files), `by` (the sender's name), `mine` (the user
 * sent it), `text`, `at` (milliseconds), `to` (all, others or me), `state` (null, or failed or unsure, with `why`), and
 * `seq`, which counts from 0 and never changes.
 */
export class Conversation {
  #entries = [];
  /** The `seq` of the first unread entry, if there is any. */
  #unreadFrom = 0;

  constructor(key, name) {
    this.key = key;
    this.name = name;
    /** The `seq` of the oldest entry that is kept. */
    this.first = 0;
    this.unread = 0;
    /** The `seq` of the first entry that was unread when the conversation was opened, or null. */
    this.newFrom = null;
    this.draft = "";
    /** Messages to all, or to oneself, that have not come back from the server, oldest first. */
    this.pending = [];
    /** The order of its last entry among those of all conversations. */
    this.turn = 0;
  }

  get isEveryone() {
    return this.key === EVERYONE;
  }

  get size() {
    return this.#entries.length;
  }

  /** The `seq` of the newest entry plus 1. */
  get end() {
    return this.first + this.#entries.length;
  }

  at(seq) {
    return this.#entries[seq - this.first];
  }

  get last() {
    return this.#entries.at(-1);
  }

  append(entry) {
    entry.seq = this.end;
    this.#entries.push(entry);
    if (this.size > ENTRIES + SHEAR) this.forget(SHEAR);
    return entry;
  }

  forget(count) {
    this.first += this.#entries.splice(0, count).length;
  }

  /** Adds the entries and the draft of another conversation. All entries are numbered anew, in the order of time. */
  absorb(other) {
    const unread = [this, other].filter((one) => one.unread > 0).map((one) => one.at(one.#unreadFrom));
    this.#entries = [...this.#entries, ...other.#entries].sort((one, next) => one.at - next.at);
    this.first = 0;
    this.#entries.forEach((entry, seq) => Object.assign(entry, { seq }));
    this.#unreadFrom = Math.min(...unread.map((entry) => entry?.seq ?? 0));
    this.unread += other.unread;
    this.newFrom = null;
    this.draft = [this.draft, other.draft].filter((draft) => draft !== "").join("\n");
    this.turn = Math.max(this.turn, other.turn);
  }

  /** Counts an entry of this conversation as unread. Entries between unread ones may be the user's own. */
  addUnread({ seq }) {
    if (this.unread === 0) this.#unreadFrom = seq;
    this.unread += 1;
  }

  /** Marks all entries as read. Returns whether any was unread. */
  read() {
    const had = this.unread > 0;
    if (had) this.newFrom = Math.max(this.first, this.#unreadFrom);
    this.unread = 0;
    return had;
  }
}

export class Conversations {
  #byKey = new Map();
  #entries = 0;
  #turn = 0;

  constructor() {
    this.clear();
  }

  /** Deletes all conversations and drafts. */
  clear() {
    this.#byKey.clear();
    this.#entries = 0;
    this.everyone = new Conversation(EVERYONE, "");
    this.#byKey.set(EVERYONE, this.everyone);
    this.current = this.everyone;
  }

  get(key) {
    return this.#byKey.get(key) ?? null;
  }

  /** The conversation with a person, which is created if there is none. Its name is spelled as it last arrived. */
  with(name) {
    const key = fold(name);
    let conversation = this.#byKey.get(key);
    if (!conversation) {
      if (this.#byKey.size > CONVERSATIONS) this.#dropOldest();
      conversation = new Conversation(key, name);
      conversation.turn = this.#turn += 1;
      this.#byKey.set(key, conversation);
    }
    conversation.name = name;
    return conversation;
  }

  /**
   * Moves the user's conversation with themselves to their new name, because somebody else may have the old one. With a
   * conversation that there is under the new name, it becomes one.
   */
  rename(was, name) {
    const own = this.#byKey.get(fold(was));
    if (!own) return;
    this.#byKey.delete(own.key);
    own.key = fold(name);
    own.name = name;
    const other = this.#byKey.get(own.key);
    this.#byKey.set(own.key, own);
    if (!other) return;
    if (this.current === other) this.current = own;
    own.absorb(other);
  }

  append(conversation, entry) {
    const before = conversation.size;
    conversation.append(entry);
    conversation.turn = this.#turn += 1;
    this.#entries += conversation.size - before;
    if (this.#entries > ENTRIES_IN_ALL) this.#shorten();
    return entry;
  }

  /** The conversations with persons, the one with the latest entry first. */
  persons() {
    const persons = [...this.#byKey.values()].filter((conversation) => !conversation.isEveryone);
    return persons.sort((one, other) => other.turn - one.turn);
  }

  get unread() {
    let sum = 0;
    for (const conversation of this.#byKey.values()) sum += conversation.unread;
    return sum;
  }

  all() {
    return this.#byKey.values();
  }

  #shorten() {
    let longest = this.everyone;
    for (const conversation of this.#byKey.values()) {
      if (conversation.size > longest.size) longest = conversation;
    }
    const before = longest.size;
    longest.forget(SHEAR);
    this.#entries -= before - longest.size;
  }

  #dropOldest() {
    let oldest = null;
    for (const conversation of this.#byKey.values()) {
      const isKept = conversation.isEveryone || conversation === this.current || conversation.draft !== "";
      if (!isKept && (!oldest || conversation.turn < oldest.turn)) oldest = conversation;
    }
    if (!oldest) return;
    this.#byKey.delete(oldest.key);
    this.#entries -= oldest.size;
  }
}
