// What was said, by conversation: one with everyone, one with each person. No page, no network.

import { fold } from "./protocol.js";

/** The most entries that one conversation keeps, and all together; the oldest go first. */
export const ENTRIES = 20_000;
export const ENTRIES_IN_ALL = 60_000;
/** The most conversations with persons; who has been silent longest goes first. */
export const CONVERSATIONS = 5_000;
/** How many entries go at once, so that not each new one moves the whole array. */
const SHEAR = 500;

/** The key of the conversation with everyone. No name has it: none begins with a blank. */
export const EVERYONE = " everyone";

/**
 * An entry: `kind` is said, note, error or files; `by` and `mine` say who, `text` what, `at` when (milliseconds), `to`
 * all, others or me; `state` is null, failed or unsure, with `why`. `seq` counts from 0 and never changes.
 */
export class Conversation {
  #entries = [];

  constructor(key, name) {
    this.key = key;
    this.name = name;
    /** The `seq` of the oldest entry that is kept. */
    this.first = 0;
    this.unread = 0;
    /** The `seq` of the first entry that was unread when the conversation was opened, or null. */
    this.newFrom = null;
    this.draft = "";
    /** What was sent to all and has not come back, oldest first. */
    this.pending = [];
    /** Grows with each new entry anywhere. */
    this.turn = 0;
  }

  get isEveryone() {
    return this.key === EVERYONE;
  }

  get size() {
    return this.#entries.length;
  }

  /** One past the `seq` of the newest entry. */
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

  /** It is being looked at: nothing is unread any more. */
  read() {
    const had = this.unread > 0;
    if (had) this.newFrom = this.end - this.unread;
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

  /** Forgets all that was said or drafted. */
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

  /** The conversation with a person, begun if there is none. The name is shown as it was heard last. */
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

  append(conversation, entry) {
    const before = conversation.size;
    conversation.append(entry);
    conversation.turn = this.#turn += 1;
    this.#entries += conversation.size - before;
    if (this.#entries > ENTRIES_IN_ALL) this.#shorten();
    return entry;
  }

  /** Those with persons, the one in which something was said last first. */
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
