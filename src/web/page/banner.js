// The strip that says that the connection was cut or has ended, and what happens next.

import { byId, nameNode, sentence, setText } from "./dom.js";
import { serverWords } from "./server-words.js";
import { harmless } from "./text.js";

export class Banner {
  #timer = null;
  #at = 0;
  #said = "";
  /** Whether it is said that the server does not answer. */
  isSilent = false;

  constructor(connection, words) {
    this.connection = connection;
    this.words = words;
    this.root = byId("banner");
    this.text = byId("banner-text");
    this.countdown = byId("countdown");
    this.act = byId("banner-act");
    this.act.addEventListener("click", () => {
      if (connection.state === "ended") {
        connection.again();
      } else if (this.isSilent) {
        connection.drop();
      } else {
        connection.hurry();
        setText(this.countdown, words.say("cutNow"));
      }
    });
  }

  /**
   * The connection was cut; `at` is when the next try is, `taken` says that the old connection still has the name,
   * `why` is another reason, in the server's words.
   */
  cut(name, { at, taken, why }) {
    const key = why ? "cutWhy" : taken ? "cutTaken" : "cut";
    const reason = why ? harmless(serverWords(why, this.words.language).text) : "";
    // Said once and not at each try.
    this.#show(`${key} ${name} ${reason}`, ...sentence(this.words.raw(key), { name: nameNode(name), why: reason }));
    this.act.hidden = false;
    setText(this.act, this.words.say("tryNow"));
    this.#at = at;
    this.#stop();
    this.#timer = setInterval(() => this.#count(), 1_000);
    this.#count();
  }

  /** The server has been heard of for so many milliseconds no more. */
  silent(since) {
    const { say } = this.words;
    this.#stop();
    this.isSilent = true;
    this.#show("silent", say("silent"));
    setText(this.countdown, say("silentFor", { count: Math.floor(since / 1_000) }));
    this.act.hidden = false;
    setText(this.act, say("again"));
  }

  /** Somebody asked to connect again. */
  entering() {
    this.#stop();
    setText(this.countdown, "");
    this.act.hidden = true;
    this.#show("entering", this.words.say("entering"));
  }

  /** It ended until somebody asks: `closed`, `unreachable`, or `why` in the server's words. */
  ended({ closed = false, unreachable = false, why = "" }) {
    this.#stop();
    setText(this.countdown, "");
    this.act.hidden = false;
    const { say, language } = this.words;
    let text = say("ended", { why: harmless(serverWords(why, language).text) });
    if (closed) text = say("closed");
    if (unreachable) text = say("unreachable");
    this.#show(text, text);
    setText(this.act, say("again"));
  }

  hide() {
    this.#stop();
    this.#said = "";
    this.text.replaceChildren();
    this.root.hidden = true;
  }

  #show(said, ...nodes) {
    this.root.hidden = false;
    if (this.#said !== said) this.text.replaceChildren(...nodes);
    this.#said = said;
  }

  #count() {
    const seconds = Math.ceil((this.#at - Date.now()) / 1_000);
    setText(this.countdown, seconds > 0 ? this.words.say("cutIn", { count: seconds }) : this.words.say("cutNow"));
  }

  #stop() {
    this.isSilent = false;
    clearInterval(this.#timer);
    this.#timer = null;
  }
}
