// A bounded queue of requests that the server has not answered, oldest first.

/** Maximum number of requests that are kept; the oldest is dropped first. */
export const REMEMBERED = 4096;

export class Outstanding {
  #items = [];

  /** Adds a request. `item.kind` is its operation; its other fields are the caller's. */
  add(item) {
    this.#items.push(item);
    if (this.#items.length > REMEMBERED) this.#items.shift();
  }

  /**
   * Removes the oldest item that fits and all before it, whose answers can no longer arrive. Returns them, the one that
   * fits last; [] if none does.
   */
  answered(fits) {
    const place = this.#items.findIndex(fits);
    return place < 0 ? [] : this.#items.splice(0, place + 1);
  }

  /** Removes and returns the oldest item that fits; null if none does. */
  take(fits) {
    const place = this.#items.findIndex(fits);
    return place < 0 ? null : this.#items.splice(place, 1)[0];
  }

  /** All items that fit. */
  all(fits) {
    return this.#items.filter(fits);
  }

  get newest() {
    return this.#items.at(-1) ?? null;
  }

  /** Removes and returns all items. */
  clear() {
    return this.#items.splice(0);
  }
}
