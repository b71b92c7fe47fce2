// The field that finds a person, and the rows that the list shows meanwhile.

import { byId, isComposing, renew, setText } from "./dom.js";
import { fold } from "./protocol.js";

export class Search {
  #list;
  #say;
  #rows;
  #current;

  /** `rows(text)` returns the rows that match a text, and `current()` the key of the open conversation. */
  constructor(list, say, { rows, current }) {
    this.#list = list;
    this.#say = say;
    this.#rows = rows;
    this.#current = current;
    byId("search").setAttribute("placeholder", say("search"));
    byId("search").setAttribute("aria-label", say("search"));
    const root = document.querySelector(".search");
    root.addEventListener("input", () => this.#find());
    root.addEventListener("keydown", (event) => this.#key(event));
  }

  focus() {
    byId("search").focus();
  }

  /** Shows the rows that match now. */
  update() {
    const rows = this.#rows(byId("search").value);
    this.#list.update(rows, this.#current());
    this.#sayNobody(rows);
  }

  /** Ends the search: the list shows all rows again. */
  clear() {
    if (byId("search").value === "") return;
    byId("search").value = "";
    this.#find();
  }

  /** Clears the field, including what undo would restore. */
  forget() {
    renew(byId("search"));
    setText(byId("nobody"), "");
  }

  #find() {
    const text = byId("search").value;
    const rows = this.#rows(text);
    byId("people-scroll").scrollTop = 0;
    this.#list.found(rows, this.#current(), fold(text) !== "");
    this.#sayNobody(rows);
  }

  #sayNobody(rows) {
    const isFound = rows.some(({ key, isBeside }) => key !== undefined && !isBeside);
    setText(byId("nobody"), isFound ? "" : this.#say("nobody"));
  }

  #key(event) {
    if (isComposing(event)) return;
    if (event.key === "Enter") this.#list.chooseFound();
    else if (event.key === "ArrowDown") this.#list.focus();
    else return;
    event.preventDefault();
  }
}
