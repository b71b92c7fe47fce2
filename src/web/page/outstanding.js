// What was sent and not yet answered, oldest first.

/** The most that is remembered; the oldest is forgotten first. */
export const REMEMBERED = 4096;

export class Outstanding {
  #items = [];

  /** `item.kind` is the operation; what else it holds is the caller's. */
  add(item) {
    this.#items.push(item);
    if (this.#items.length > REMEMBERED) this.#items.shift();
  }

  /**
   * The answer to the oldest that fits, behind which nothing before it can still come: it and all before it are done.
   * The one that fits comes last; [] if none does.
   */
  answered(fits) {
    const place = this.#items.findIndex(fits);
    return place < 0 ? [] : this.#items.splice(0, place + 1);
  }

  /** Takes out the oldest that fits, and leaves the others. */
  take(fits) {
    const place = this.#items.findIndex(fits);
    return place < 0 ? null : this.#items.splice(place, 1)[0];
  }

  /** All that fit. */
  all(fits) {
    return this.#items.filter(fits);
  }

  get newest() {
    return this.#items.at(-1) ?? null;
  }

  /** Forgets all, and returns it. */
  clear() {
    return this.#items.splice(0);
  }
}
