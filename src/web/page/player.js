// The player above the conversation, and the list of streams in the sidebar.

import { byId, element, hide, nameNode, sentence, setText, shown } from "./dom.js";
import { isolated } from "./text.js";

export class Player {
  #playing = null;
  /** The number, as `Streams` counts them, after which lists hold the stream that plays; null if none does. */
  #listedAfter = null;
  /** Whether the stream was paused. Streams are live: after a pause, the player reconnects so as not to lag. */
  #isBehind = false;
  #rows = new Map();

  /**
   * `streams` are those that are on. `ask(name, file)` requests a file of a client, and `refocus()` moves the focus
   * away from a button that is hidden.
   */
  constructor(words, streams, { ask, refocus }) {
    this.words = words;
    this.streams = streams;
    this.ask = ask;
    this.refocus = refocus;
    this.root = byId("player");
    this.audio = byId("audio");
    this.what = byId("playing");
    this.figures = byId("playing-figures");
    this.list = byId("streams");
    byId("stop").addEventListener("click", () => this.stop());
    this.audio.addEventListener("pause", () => {
      this.#isBehind = this.#playing !== null && !this.audio.ended;
    });
    this.audio.addEventListener("play", () => this.#catchUp());
    this.audio.addEventListener("ended", () => this.#over("soundEnded"));
    this.audio.addEventListener("error", () => this.#playing && this.#over("soundBroke"));
    this.audio.addEventListener("playing", () => this.#say("hearing"));
  }

  get isShown() {
    return !this.root.hidden;
  }

  /** Whether this file of this client plays, or is about to. */
  isPlaying(name, file) {
    const playing = this.#playing;
    const isOver = this.audio.ended || this.audio.paused || this.audio.error !== null;
    return playing !== null && playing.name === name && playing.file === file && !isOver;
  }

  /** Plays a stream of this server. */
  play({ name, file, path }) {
    this.#playing = { name, file, path };
    this.#listedAfter = this.streams.requested;
    setText(this.figures, "");
    this.root.hidden = false;
    this.#begin();
  }

  #begin() {
    this.#isBehind = false;
    this.#say("soundBegins");
    this.audio.src = this.#playing.path;
    // A browser may require a click before it plays sound; the user can click the controls.
    this.audio.play().catch((error) => {
      if (error.name === "NotAllowedError") this.#say("pressPlay");
    });
  }

  /** Stops the stream and hides the player. */
  stop() {
    this.#playing = null;
    this.#listedAfter = null;
    this.audio.pause();
    this.audio.removeAttribute("src");
    this.audio.load();
    hide(this.root, this.refocus);
    this.what.replaceChildren();
    setText(this.figures, "");
  }

  /** Handles the server's text that a stream has ended. What the browser has of it still plays. */
  ended(text) {
    if (!this.#playing) return;
    const told = `${this.#playing.name}: ${this.#playing.file} ended`;
    if (text === told || text.startsWith(`${told}: `)) this.#removeFigures();
  }

  /** Shows the streams that are on. */
  update() {
    const { streams } = this;
    const { say, locale } = this.words;
    const figures = ({ listeners, elapsed, length }) => {
      const time = length === null ? elapsed : say("timeOf", { elapsed, length });
      const count = listeners.toLocaleString(locale);
      return `${listeners === 1 ? say("listeningOne") : say("listeningMany", { count })} · ${time}`;
    };
    if (this.#listedAfter !== null && streams.current > this.#listedAfter) {
      const heard = streams.find(this.#playing.name, this.#playing.file);
      if (heard) setText(this.figures, figures(heard));
      else this.#removeFigures();
    }
    byId("on-air").hidden = streams.on.length === 0;
    const kept = new Set();
    for (const stream of streams.on) {
      const key = stream.title;
      kept.add(key);
      let row = this.#rows.get(key);
      if (!row) {
        row = this.#row(stream);
        this.#rows.set(key, row);
      }
      if (row.parentNode === null) this.list.append(row);
      setText(row.lastChild, `${isolated(stream.name)} · ${figures(stream)}`);
    }
    for (const [key, row] of this.#rows) {
      if (kept.has(key)) continue;
      row.remove();
      this.#rows.delete(key);
    }
  }

  #row({ name, file }) {
    return element("li", "", listenButton(name, file, this.words, this.ask), element("span", "details"));
  }

  #catchUp() {
    if (!this.#isBehind) return;
    this.#begin();
  }

  /** Shows that nothing more will be heard. */
  #over(key) {
    this.#say(key);
    this.#removeFigures();
  }

  /** Removes the figures of a stream that has ended: the next of this title is another. */
  #removeFigures() {
    this.#listedAfter = null;
    setText(this.figures, "");
  }

  #say(key) {
    if (!this.#playing) return;
    const { name, file } = this.#playing;
    const said = sentence(this.words.raw(key), { name: nameNode(name), file: nameNode(file) });
    const text = element("span", "", ...said);
    // An unchanged text is not replaced, so that a screen reader does not repeat it.
    if (text.textContent !== this.what.textContent) this.what.replaceChildren(text);
  }
}

/** A button that requests an audio file. */
export function listenButton(name, file, { say }, ask) {
  const made = element("button", "listen", element("bdi", "name", ...shown(file)));
  made.type = "button";
  made.setAttribute("aria-label", say("listenTo", { file: isolated(file), name: isolated(name) }));
  made.addEventListener("click", () => ask(name, file));
  return made;
}
