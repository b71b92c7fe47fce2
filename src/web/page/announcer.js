// What a screen reader is told of what arrives: each message while they are few, their number when they are many.

import { element } from "./dom.js";

/** Messages are gathered for so many milliseconds. */
const GATHER = 700;
/** More than this many at once are only counted. */
const EACH = 3;
/** What was said stays so long as an element; a reader has taken it by then. */
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

  /** Says nothing of what has come so far. */
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
