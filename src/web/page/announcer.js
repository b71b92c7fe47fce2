// Announces arriving messages to screen readers: each one while they are few, only their number when they are many.

import { element } from "./dom.js";

/** Time in milliseconds for which messages are gathered into one announcement. */
const GATHER = 700;
/** Maximum number of messages in one announcement that are read out; of more, only the number is. */
const EACH = 3;
/** Maximum number of announced elements in the region. Screen readers have read older ones by the time they go. */
const KEPT = 6;

export class Announcer {
  #gathered = [];
  #count = 0;
  #timer = null;

  constructor(region, say) {
    this.region = region;
    this.say = say;
  }

  announce(text) {
    this.#count += 1;
    if (this.#gathered.length < EACH) this.#gathered.push(text);
    if (this.#count === 1) this.#timer = setTimeout(() => this.#speak(), GATHER);
  }

  /** Discards gathered messages and removes announced ones. */
  forget() {
    clearTimeout(this.#timer);
    this.#gathered = [];
    this.#count = 0;
    this.region.replaceChildren();
  }

  #speak() {
    const texts = this.#count > EACH ? [this.say("newMany", { count: this.#count })] : this.#gathered;
    this.#gathered = [];
    this.#count = 0;
    this.region.append(...texts.map((text) => element("p", "", text)));
    while (this.region.childElementCount > KEPT) this.region.firstChild.remove();
  }
}
