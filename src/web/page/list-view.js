// The list of conversations and people. Only the rows on the screen and AROUND more on each side are elements, so that
// 5,000 people cost no more than 30. The list is a single stop for the Tab key; arrow keys move inside it.

import { element, isComposing, nameNode, setText, shown } from "./dom.js";
import { fold } from "./protocol.js";
import { harmless, split } from "./text.js";
import { WORDS } from "./words.js";

/** The title of the conversation with everyone, in all languages of the page. */
const ROOM_WORDS = new Set(Object.values(WORDS).map(({ everyone }) => fold(everyone)));
/** Number of last characters that are shown of a name that does not fit: two names may have the same beginning. */
const NAME_END = 7;
/** Number of rows beyond the screen, above and below, that are elements. */
const AROUND = 6;
/** Time in milliseconds for which rows stay in place after the mouse moved over them, before a likely click. */
const REST_MS = 700;

export class ListView {
  #rows = [];
  #options = 0;
  #made = new Map();
  #active = -1;
  #activeKey = null;
  #height = 40;
  #ids = 0;
  #rowOf = new WeakMap();
  /** Rows whose names have not been compared with their room. */
  #filled = new Set();
  /** Time until which rows stay in place, on the clock of `performance.now()`. */
  #heldUntil = 0;
  /** Timer that shows the rows that arrived while rows stayed in place. */
  #holding = null;
  /** The key of the row that Enter in the search field chooses, or null. */
  #foundKey = null;

  constructor({ scroller, list }, words, choose) {
    this.scroller = scroller;
    this.list = list;
    this.words = words;
    this.choose = choose;
    this.current = null;
    scroller.addEventListener("scroll", () => this.#draw(), { passive: true });
    new ResizeObserver(() => this.#measure()).observe(scroller);
    list.addEventListener("keydown", (event) => this.#key(event));
    list.addEventListener("focus", () => this.#focused());
    list.addEventListener("blur", () => this.#mark());
    list.addEventListener("pointermove", ({ pointerType }) => {
      if (pointerType === "mouse") this.#heldUntil = performance.now() + REST_MS;
    });
    list.addEventListener("pointerleave", () => {
      this.#heldUntil = 0;
    });
  }

  /** Shows these rows once the mouse rests. `current` is the key of the open conversation. */
  update(rows, current) {
    clearTimeout(this.#holding);
    const rest = current === this.current ? this.#heldUntil - performance.now() : 0;
    if (rest > 0) this.#holding = setTimeout(() => this.update(rows, current), rest);
    else this.#show(rows, current);
  }

  /** Shows the result of a search at once, and marks the row that Enter chooses; without a search, it marks none. */
  found(rows, current, isSearch) {
    clearTimeout(this.#holding);
    const isMatch = ({ key, isBeside }) => key !== undefined && !isBeside;
    this.#foundKey = (isSearch && rows.find(isMatch)?.key) ?? null;
    this.#show(rows, current);
  }

  #show(rows, current) {
    this.#rows = rows;
    this.current = current;
    this.#options = 0;
    for (const row of rows) if (row.key !== undefined) row.position = this.#options += 1;
    this.#active = this.#activeKey === null ? -1 : rows.findIndex(({ key }) => key === this.#activeKey);
    this.list.style.height = `${rows.length * this.#height}px`;
    this.#draw();
  }

  /** Chooses the row that the search marked. If that row is gone, marks the first one and chooses none. */
  chooseFound() {
    const row = this.#rows.find(({ key }) => key === this.#foundKey);
    if (row) this.choose(row);
    else this.found(this.#rows, this.current, true);
  }

  /** Forgets the active row, and removes all rows. */
  forget() {
    this.#activeKey = null;
    this.found([], null, false);
  }

  focus() {
    this.list.focus({ preventScroll: true });
    if (this.#active >= 0) this.#go(this.#active);
  }

  #measure() {
    const height = Number.parseFloat(getComputedStyle(this.list).getPropertyValue("--row"));
    if (height > 0) this.#height = height;
    for (const node of this.#made.values()) this.#filled.add(node);
    this.#show(this.#rows, this.current);
  }

  #draw() {
    const { scrollTop, clientHeight } = this.scroller;
    const first = Math.max(0, Math.floor(scrollTop / this.#height) - AROUND);
    const end = Math.min(this.#rows.length, Math.ceil((scrollTop + clientHeight) / this.#height) + AROUND);
    const wanted = new Set();
    for (let place = first; place < end; place += 1) {
      const row = this.#rows[place];
      const id = row.key ?? `\n${row.heading}`;
      wanted.add(id);
      let node = this.#made.get(id);
      if (!node) {
        node = this.#make(row);
        this.#made.set(id, node);
        this.list.append(node);
      }
      this.#fill(node, row, place);
    }
    for (const [id, node] of this.#made) {
      if (wanted.has(id)) continue;
      node.remove();
      this.#made.delete(id);
    }
    this.#cutNames();
    this.#mark();
  }

  #make(row) {
    if (row.heading) {
      const node = element("div", "group");
      node.setAttribute("aria-hidden", "true");
      return node;
    }
    const node = element("div", "person");
    this.#ids += 1;
    node.id = `person-${this.#ids}`;
    node.setAttribute("role", "option");
    // The listener is on the row itself, which may have been removed from the list when its click is dispatched.
    node.addEventListener("click", () => this.#clicked(this.#rowOf.get(node)));
    return node;
  }

  #fill(node, row, place) {
    node.style.transform = `translateY(${place * this.#height}px)`;
    const { say, locale } = this.words;
    if (row.heading) {
      setText(node, `${say(row.heading)} · ${row.count.toLocaleString(locale)}`);
      return;
    }
    this.#rowOf.set(node, row);
    node.setAttribute("aria-setsize", String(this.#options));
    node.setAttribute("aria-posinset", String(row.position));
    node.setAttribute("aria-selected", String(row.key === this.current));
    const looks = JSON.stringify([row.name, row.here, row.mine, row.unread]);
    if (node.dataset.looks === looks) return;
    node.dataset.looks = looks;
    node.classList.toggle("away", !row.here);
    node.classList.toggle("everyone", row.name === "");
    const parts = [element("span", "dot")];
    if (row.name === "") parts.push(element("span", "name", say("everyone")));
    else parts.push(nameNode(row.name));
    this.#filled.add(node);
    if (row.name === "") parts.push(element("span", "aside", say("room")));
    // The server does not stop a client from using the title of the conversation with everyone as its name.
    else if (ROOM_WORDS.has(fold(row.name))) parts.push(element("span", "aside", say("person")));
    if (row.mine) parts.push(element("span", "aside", say("you")));
    if (!row.here) parts.push(element("span", "aside", say("away")));
    if (row.unread > 0) {
      const badge = element("span", "badge", element("span", "", row.unread > 999 ? "999+" : String(row.unread)));
      badge.firstChild.setAttribute("aria-hidden", "true");
      badge.append(
        element("span", "unseen", row.unread === 1 ? say("unreadOne") : say("unreadMany", { count: row.unread })),
      );
      parts.push(badge);
    }
    node.replaceChildren(...parts);
  }

  /** Cuts the names that do not fit. All are read before any is changed, so that the layout is computed once. */
  #cutNames() {
    const names = [...this.#filled].map((node) => node.querySelector("bdi.name:not(.cut)"));
    this.#filled.clear();
    for (const node of names.filter((name) => name && name.scrollWidth > name.clientWidth)) {
      const { name } = this.#rowOf.get(node.parentNode);
      node.replaceWith(...cutName(name));
    }
  }

  #focused() {
    // A press also focuses the list, and must not scroll it under the pointer.
    if (this.#active < 0 && this.list.matches(":focus-visible")) this.#go(this.#currentPlace());
    this.#mark();
  }

  #currentPlace() {
    const place = this.#rows.findIndex(({ key }) => key === this.current);
    return Math.max(0, place);
  }

  #mark() {
    const isFocused = document.activeElement === this.list;
    const key = isFocused ? this.#rows[this.#active]?.key : this.#foundKey;
    const node = this.#made.get(key);
    this.list.querySelector(".active")?.classList.remove("active");
    node?.classList.add("active");
    if (node && isFocused) this.list.setAttribute("aria-activedescendant", node.id);
    else this.list.removeAttribute("aria-activedescendant");
  }

  #go(place) {
    this.#active = place;
    this.#activeKey = this.#rows[place]?.key ?? null;
    const top = place * this.#height;
    const { scrollTop, clientHeight } = this.scroller;
    if (top < scrollTop) this.scroller.scrollTop = top;
    else if (top + this.#height > scrollTop + clientHeight) this.scroller.scrollTop = top + this.#height - clientHeight;
    this.#draw();
  }

  #step(by) {
    const last = this.#rows.length - 1;
    const from = this.#active < 0 ? this.#currentPlace() : this.#active;
    let place = Math.min(Math.max(from + by, 0), last);
    // Skips headings.
    while (this.#rows[place]?.heading && place > 0 && place < last) place += Math.sign(by);
    if (this.#rows[place] && !this.#rows[place].heading) this.#go(place);
  }

  #key(event) {
    if (isComposing(event)) return;
    const page = Math.max(1, Math.floor(this.scroller.clientHeight / this.#height) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, End: Infinity, Home: -Infinity };
    const step = steps[event.key];
    if (step !== undefined && !event.altKey && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      this.#step(Number.isFinite(step) ? step : Math.sign(step) * this.#rows.length);
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      const row = this.#rows[this.#active];
      if (row?.key !== undefined) this.choose(row);
    }
  }

  #clicked(row) {
    this.#activeKey = row.key;
    this.#active = this.#rows.findIndex(({ key }) => key === row.key);
    this.choose(row);
  }
}

/** A name without its middle, and the whole name for screen readers. */
function cutName(name) {
  const parts = split(name, NAME_END).map((part) => element("span", "", ...shown(part)));
  const node = element("bdi", "name cut", ...parts);
  node.title = harmless(name);
  node.setAttribute("aria-hidden", "true");
  return [node, element("span", "unseen", harmless(name))];
}
