// The banner that shows that the connection was cut or has ended, and what happens next.

import { byId, hide, nameNode, sentence, setText } from "./dom.js";
import { serverWords } from "./server-words.js";
import { harmless } from "./text.js";

export class Banner {
  #timer = null;
  #at = 0;
  #said = "";
  /** Whether the banner shows that the server does not answer. */
  isSilent = false;

  /** `refocus()` moves the focus away from a button that is hidden. */
  constructor(connection, words, refocus) {
    this.connection = connection;
    this.words = words;
    this.refocus = refocus;
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
   * Shows that the connection was cut. `at` is the time of the next try, `taken` says that the old connection still
   * holds the name, and `why` is another reason, as the server words it.
   */
  cut(name, { at, taken, why }) {
    const key = why ? "cutWhy" : taken ? "cutTaken" : "cut";
    const reason = why ? harmless(serverWords(why, this.words.language).text) : "";
    // With an unchanged key, the text is not replaced, so that a screen reader does not repeat it at each try.
    this.#show(`${key} ${name} ${reason}`, ...sentence(this.words.raw(key), { name: nameNode(name), why: reason }));
    this.act.hidden = false;
    setText(this.act, this.words.say("tryNow"));
    this.#at = at;
    this.#stop();
    this.#timer = setInterval(() => this.#count(), 1_000);
    this.#count();
  }

  /** Shows that nothing has arrived from the server for `since` milliseconds. */
  silent(since) {
    const { say } = this.words;
    this.#stop();
    this.isSilent = true;
    this.#show("silent", say("silent"));
    setText(this.countdown, say("silentFor", { count: Math.floor(since / 1_000) }));
    this.act.hidden = false;
    setText(this.act, say("again"));
  }

  /** Shows that the page is connecting again because the user asked for it. */
  entering() {
    this.#stop();
    setText(this.countdown, "");
    hide(this.act, this.refocus);
    this.#show("entering", this.words.say("entering"));
  }

  /** Shows that the connection ended without a retry: `closed`, `unreachable`, or `why` as the server words it. */
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
    hide(this.root, this.refocus);
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
