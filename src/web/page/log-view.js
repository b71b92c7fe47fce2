// Shows the open conversation. At most WINDOW of its entries are elements at a time; scrolling exchanges them.

import { element, nameNode, sentence, shown } from "./dom.js";
import { size } from "./files.js";
import { listenButton } from "./player.js";
import { isAudio } from "./streams.js";
import { serverWords } from "./server-words.js";
import { harmless } from "./text.js";

/** Maximum number of entries that are elements at a time. */
export const WINDOW = 200;
/** Number of entries that are added when scrolling comes near an end of the window. */
const STEP = 60;
/** Distance in pixels from an end of the window below which more entries are added. */
const NEAR = 600;
/** Maximum number of files of a list that are shown. */
const FILES_SHOWN = 200;
/** Maximum number of messages shown that have not come back from the server. */
const PENDING = 20;
/** Time in milliseconds within which a sender's next message is shown without repeating the name. */
const TOGETHER = 5 * 60_000;

export class LogView {
  #conversation = null;
  #from = 0;
  #to = 0;
  #rows = new Map();
  #atEnd = true;
  #seenEnd = 0;
  #stuckTo = "";

  /**
   * `parts` are the elements scroller, entries, pending, empty and latest. `editAgain(text, to)` puts an undelivered text
   * back into the composer, and `listen(name, file)` requests a file.
   */
  constructor(parts, words, editAgain, listen) {
    this.parts = parts;
    this.words = words;
    this.editAgain = editAgain;
    this.listen = listen;
    this.clock = new Intl.DateTimeFormat(words.locale, { hour: "2-digit", minute: "2-digit" });
    this.day = new Intl.DateTimeFormat(words.locale, { weekday: "long", day: "numeric", month: "long" });
    parts.scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    parts.latest.addEventListener("click", () => {
      this.toEnd();
      parts.scroller.focus({ preventScroll: true });
    });
    // If a phone's keyboard or a growing composer shrinks the log, a log at its end stays there.
    new ResizeObserver(() => this.keepEnd()).observe(parts.scroller);
  }

  show(conversation) {
    this.#conversation = conversation;
    this.#clear();
    this.#atEnd = true;
    this.update();
  }

  /** Stays at the end after a change of the log's height. */
  keepEnd() {
    if (this.#atEnd) this.#stick();
  }

  toEnd() {
    this.#atEnd = true;
    this.update();
  }

  /** Shows all changes since the last update. */
  update() {
    const conversation = this.#conversation;
    if (!conversation) return;
    const { first, end } = conversation;
    if (this.#atEnd) {
      this.#window(Math.max(first, end - WINDOW), end);
      this.#pending();
      this.#stick();
      this.#seenEnd = end;
    } else {
      const from = Math.max(first, this.#from);
      this.#keepingPlace(() => this.#window(from, Math.min(end, Math.max(this.#to, from + WINDOW))));
      this.#pending();
    }
    this.#around(conversation);
  }

  /** Redraws an entry that has changed. */
  changed(entry) {
    const row = this.#rows.get(entry.seq);
    if (!row || this.#conversation?.at(entry.seq) !== entry) return;
    const made = this.#row(entry);
    this.#rows.set(entry.seq, made);
    row.replaceWith(made);
    if (this.#atEnd) this.#stick();
  }

  #around({ isEveryone, name, size, pending, first, end }) {
    const { empty, latest } = this.parts;
    const { say } = this.words;
    empty.hidden = size + pending.length > 0 && (first === 0 || this.#from > first);
    if (size + pending.length === 0) {
      empty.replaceChildren(...(isEveryone ? [say("empty")] : this.#sentence("emptyWith", name)));
    } else {
      empty.replaceChildren(say("earlierGone", { count: size.toLocaleString(this.words.locale) }));
    }
    latest.hidden = this.#atEnd;
    const below = end - this.#seenEnd;
    latest.textContent =
      below > 0 ? say("latestMany", { count: below.toLocaleString(this.words.locale) }) : say("latest");
  }

  #sentence(key, name) {
    return sentence(this.words.raw(key), { name: nameNode(name) });
  }

  #clear() {
    this.#rows.clear();
    this.parts.entries.replaceChildren();
    this.parts.pending.replaceChildren();
    this.#from = 0;
    this.#to = 0;
  }

  /** Makes elements of exactly the entries `from..to`; keeps existing ones. */
  #window(from, to) {
    const { entries } = this.parts;
    if (from >= this.#to || to <= this.#from) {
      this.#rows.clear();
      entries.replaceChildren();
      this.#from = from;
      this.#to = from;
    }
    for (; this.#from < from; this.#from += 1) this.#remove(this.#from);
    for (; this.#to > to; this.#to -= 1) this.#remove(this.#to - 1);
    const above = this.#make(from, Math.max(from, this.#from));
    entries.prepend(...above);
    const below = this.#make(this.#to, to);
    entries.append(...below);
    this.#from = from;
    this.#to = Math.max(to, from);
  }

  #make(from, to) {
    const made = [];
    for (let seq = from; seq < to; seq += 1) {
      const row = this.#row(this.#conversation.at(seq));
      this.#rows.set(seq, row);
      made.push(row);
    }
    return made;
  }

  #remove(seq) {
    this.#rows.get(seq)?.remove();
    this.#rows.delete(seq);
  }

  #pending() {
    const { pending } = this.#conversation;
    const rows = pending.slice(0, PENDING).map((entry) => this.#row(entry, true));
    this.parts.pending.replaceChildren(...rows);
  }

  #stick() {
    const { scroller } = this.parts;
    scroller.scrollTop = scroller.scrollHeight;
    this.#stuckTo = `${scroller.scrollHeight} ${scroller.clientHeight}`;
  }

  #scrolled() {
    const { scroller } = this.parts;
    const conversation = this.#conversation;
    if (!conversation || scroller.clientHeight === 0) return;
    const below = scroller.scrollHeight - scroller.clientHeight - scroller.scrollTop;
    const wasAtEnd = this.#atEnd;
    if (wasAtEnd && below > 0 && this.#stuckTo !== `${scroller.scrollHeight} ${scroller.clientHeight}`) {
      // The user did not scroll: the height of the log or of its contents changed.
      this.#stick();
      return;
    }
    // A log at its end stays so even if entries that arrived since the last update are not drawn yet.
    this.#atEnd = below < 40 && (wasAtEnd || this.#to === conversation.end);
    if (this.#atEnd) this.#seenEnd = conversation.end;
    if (scroller.scrollTop < NEAR && this.#from > conversation.first) {
      const from = Math.max(conversation.first, this.#from - STEP);
      this.#keepingPlace(() => this.#window(from, Math.min(this.#to, from + WINDOW)));
    } else if (below < NEAR && this.#to < conversation.end) {
      const to = Math.min(conversation.end, this.#to + STEP);
      this.#keepingPlace(() => this.#window(Math.max(this.#from, to - WINDOW), to));
    }
    if (wasAtEnd !== this.#atEnd || !this.#atEnd) this.#around(conversation);
  }

  /** Runs `act`, which changes the elements, and keeps the topmost visible entry at its place on the screen. */
  #keepingPlace(act) {
    const { scroller, entries } = this.parts;
    const top = scroller.getBoundingClientRect().top;
    let anchor = null;
    for (const row of entries.children) {
      if (row.getBoundingClientRect().bottom > top) {
        anchor = row;
        break;
      }
    }
    const before = anchor?.getBoundingClientRect().top;
    act();
    if (anchor?.isConnected) scroller.scrollTop += anchor.getBoundingClientRect().top - before;
  }

  #row(entry, isPending = false) {
    const row = element("li", `row ${entry.kind}`);
    const before = isPending ? this.#conversation.last : this.#conversation.at(entry.seq - 1);
    this.#dividers(row, entry, before);
    row.classList.toggle("mine", entry.mine);
    row.classList.toggle("waiting", isPending);
    row.classList.toggle("undelivered", entry.state !== null);
    const isSaid = entry.kind === "said";
    const follows =
      isSaid &&
      before?.kind === "said" &&
      before.by === entry.by &&
      before.to === entry.to &&
      entry.at - before.at < TOGETHER &&
      row.childElementCount === 0;
    row.classList.toggle("continued", follows);
    const by = element("span", "by");
    if (entry.by !== "") {
      by.append(nameNode(entry.by));
      by.title = harmless(entry.by);
    } else if (entry.kind === "server" || entry.kind === "error") {
      by.append(this.words.say("serverSays"));
    }
    // Shown only when late: usually the answer arrives before a user could read this.
    const isLate = entry.late ?? false;
    row.classList.toggle("late", isLate);
    const time = element("time", "", isLate ? this.words.say("sending") : this.clock.format(entry.at));
    time.dateTime = new Date(entry.at).toISOString();
    row.append(by, this.#what(entry), time);
    return row;
  }

  #dividers(row, entry, before) {
    if (before && new Date(before.at).toDateString() !== new Date(entry.at).toDateString()) {
      row.append(element("p", "divider", element("span", "", this.day.format(entry.at))));
    }
    if (entry.seq !== undefined && entry.seq === this.#conversation.newFrom) {
      row.append(element("p", "divider new", element("span", "", this.words.say("isNew"))));
    }
  }

  #what(entry) {
    const what = element("div", "what");
    const { say, language } = this.words;
    if (entry.kind === "note") {
      const values = { name: nameNode(entry.name ?? ""), file: nameNode(entry.file ?? "") };
      values.was = nameNode(entry.was ?? "");
      values.why = element("bdi", "", ...shown(entry.why ?? ""));
      values.count = (entry.count ?? 0).toLocaleString(this.words.locale);
      what.append(element("p", "text", ...sentence(this.words.raw(entry.text), values)));
    } else if (entry.kind === "error" || entry.kind === "server") {
      const told = serverWords(entry.text, language);
      const text = element("p", "text", ...shown(told.text));
      text.lang = told.language;
      text.dir = "auto";
      what.append(text);
    } else if (entry.kind === "files") {
      what.append(element("p", "label", ...this.#sentence("filesOf", entry.by)));
      what.append(...this.#files(entry));
    } else {
      what.append(this.#text(entry.text));
    }
    if (entry.to === "others") what.append(element("span", "tag", say("toOthers")));
    if (entry.state !== null) this.#undelivered(what, entry);
    return what;
  }

  #files({ by, listing: { words, entries, of, reached, missing, leftOut } }) {
    if (words !== undefined) return [this.#text(words)];
    const { say, locale } = this.words;
    const list = element("ul", "file-list");
    for (const file of entries.slice(0, FILES_SHOWN)) {
      const { name, bytes, length, type } = file;
      const details = [size(bytes, locale), length, type].filter((detail) => detail !== null).join(" · ");
      const shownName = isAudio(file) ? listenButton(by, name, this.words, this.listen) : nameNode(name);
      list.append(element("li", "", shownName, element("span", "details", details)));
    }
    const notes = [];
    if (entries.length > FILES_SHOWN) notes.push(say("moreFiles", { count: entries.length - FILES_SHOWN }));
    if (reached < of) notes.push(say("filesToCome", { count: of - reached }));
    if (missing > 0) notes.push(say("filesMissing", { count: missing }));
    if (leftOut.files > 0) notes.push(say("filesNotListed", { count: leftOut.files }));
    if (leftOut.folders > 0) notes.push(say("foldersNotListed", { count: leftOut.folders }));
    if (leftOut.more) notes.push(say("notAllFiles"));
    return [list, ...notes.map((note) => element("p", "label", note))];
  }

  #text(text) {
    const made = element("p", "text", ...shown(text));
    made.dir = "auto";
    return made;
  }

  #undelivered(what, entry) {
    what.append(element("span", "tag bad", this.words.say(entry.state)));
    if (entry.edited) return;
    const again = element("button", "plain small", this.words.say("editAgain"));
    again.type = "button";
    again.addEventListener("click", () => {
      entry.edited = true;
      this.changed(entry);
      this.editAgain(entry.text, entry.to);
    });
    what.append(again);
  }
}
