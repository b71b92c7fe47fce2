// What became of the texts that the user sent: each waits for an answer, is late, was not confirmed, or failed. No DOM.

/** Operations that send a text. */
export const SAID = new Set(["broadcast", "broadcast_not_me", "private_message", "echo"]);

export class Deliveries {
  #outstanding;
  #append;
  #changed;

  /**
   * `outstanding` holds the requests that are not answered; those that send a text have an `entry` and its
   * `conversation`. `append(conversation, entry)` adds an entry, and `changed(conversation, entry)` is called for a
   * shown one that has changed.
   */
  constructor(outstanding, { append, changed }) {
    this.#outstanding = outstanding;
    this.#append = append;
    this.#changed = changed;
  }

  /** The texts that are not answered, oldest first. */
  get waiting() {
    return this.#outstanding.all(({ kind }) => SAID.has(kind));
  }

  /** Marks texts that were sent by this time and are not answered as late. Returns whether there are any. */
  markLate(before) {
    const late = this.#outstanding.all(({ entry }) => entry && entry.at <= before);
    for (const { conversation, entry } of late) {
      if (entry.late) continue;
      entry.late = true;
      this.#changed(conversation, entry);
    }
    return late.length > 0;
  }

  /** Handles that a text of `item` came back: it is shown as it came. */
  confirm(item) {
    if (item) remove(item.conversation.pending, item.entry);
  }

  /** Handles that the server has carried out a request. A text that should have come back by now will not. */
  passed(item) {
    const { conversation, entry } = item;
    if (!entry) return;
    if (entry.seq === undefined) {
      this.settle(item, "unsure");
    } else if (entry.late) {
      entry.late = false;
      this.#changed(conversation, entry);
    }
  }

  /** Marks a text as `failed` or `unsure`. */
  settle({ conversation, entry }, state, why = null) {
    const isShown = entry.seq !== undefined;
    Object.assign(entry, { state, why, late: false });
    if (isShown) {
      this.#changed(conversation, entry);
    } else {
      remove(conversation.pending, entry);
      this.#append(conversation, entry);
    }
  }

  /** Marks the text that the server did not carry out as failed, if it is clear which one it was. */
  refused(why) {
    const { waiting } = this;
    const all = waiting.every(({ kind }) => kind === "broadcast");
    if (waiting.length === 0 || (waiting.length > 1 && !all)) return;
    this.settle(this.#outstanding.take((candidate) => candidate === waiting[0]), "failed", why);
  }
}

function remove(array, item) {
  const place = array.indexOf(item);
  if (place >= 0) array.splice(place, 1);
}
