// The list of conversations and people. Only the rows that are on the screen, and a few around them, are elements; so
// 5,000 people cost no more than 30. One stop for the Tab key; arrows move inside.

import { element, nameNode, setText } from "./dom.js";

/** Rows that are elements although they are just off the screen, above and below. */
const AROUND = 6;

export class ListView {
  #rows = [];
  #options = 0;
  #made = new Map();
  #active = -1;
  #activeKey = null;
  #height = 40;
  #ids = 0;

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
    list.addEventListener("click", (event) => this.#clicked(event));
  }

  /** Shows these rows; `current` is the key of the conversation that is open. */
  update(rows, current) {
    this.#rows = rows;
    this.current = current;
    this.#options = 0;
    for (const row of rows) if (row.key !== undefined) row.position = this.#options += 1;
    this.#active = this.#activeKey === null ? -1 : rows.findIndex(({ key }) => key === this.#activeKey);
    this.list.style.height = `${rows.length * this.#height}px`;
    this.#draw();
  }

  /** The first person or conversation, for Enter in the search field. */
  chooseFirst() {
    const row = this.#rows.find(({ key }) => key !== undefined);
    if (row) this.choose(row);
  }

  focus() {
    this.list.focus();
  }

  #measure() {
    const height = Number.parseFloat(getComputedStyle(this.list).getPropertyValue("--row"));
    if (height > 0) this.#height = height;
    this.update(this.#rows, this.current);
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
    return node;
  }

  #fill(node, row, place) {
    node.style.transform = `translateY(${place * this.#height}px)`;
    const { say, locale } = this.words;
    if (row.heading) {
      setText(node, `${say(row.heading)} · ${row.count.toLocaleString(locale)}`);
      return;
    }
    node.setAttribute("aria-setsize", String(this.#options));
    node.setAttribute("aria-posinset", String(row.position));
    node.setAttribute("aria-selected", String(row.key === this.current));
    const looks = JSON.stringify([row.name, row.here, row.mine, row.unread]);
    if (node.dataset.looks === looks) return;
    node.dataset.looks = looks;
    node.classList.toggle("away", !row.here);
    node.classList.toggle("everyone", row.name === "");
    const parts = [
      element("span", "dot"),
      row.name === "" ? element("span", "name", say("everyone")) : nameNode(row.name),
    ];
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

  #focused() {
    if (this.#active < 0)
      this.#go(
        Math.max(
          0,
          this.#rows.findIndex(({ key }) => key === this.current),
        ),
      );
    this.#mark();
  }

  #mark() {
    const row = this.#rows[this.#active];
    const node = row && document.activeElement === this.list ? this.#made.get(row.key) : undefined;
    this.list.querySelector(".active")?.classList.remove("active");
    node?.classList.add("active");
    if (node) this.list.setAttribute("aria-activedescendant", node.id);
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
    let place = Math.min(Math.max(this.#active + by, 0), last);
    // Headings are passed over.
    while (this.#rows[place]?.heading && place > 0 && place < last) place += Math.sign(by);
    if (this.#rows[place] && !this.#rows[place].heading) this.#go(place);
  }

  #key(event) {
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

  #clicked(event) {
    // By the place and not by the element, which may have been exchanged between press and release.
    const place = Math.floor((event.clientY - this.list.getBoundingClientRect().top) / this.#height);
    const row = this.#rows[place];
    if (row?.key === undefined) return;
    this.#active = place;
    this.#activeKey = row.key;
    this.choose(row);
  }
}
