// The strip that says that the connection was cut or has ended, and what happens next.

import { byId, nameNode, sentence, setText } from "./dom.js";
import { serverWords } from "./server-words.js";
import { harmless } from "./text.js";

export class Banner {
  #timer = null;
  #at = 0;
  #said = "";

  constructor(connection, words) {
    this.connection = connection;
    this.words = words;
    this.root = byId("banner");
    this.text = byId("banner-text");
    this.countdown = byId("countdown");
    this.act = byId("banner-act");
    this.act.addEventListener("click", () => {
      if (connection.state === "cut") connection.hurry();
      else if (connection.state === "ended") connection.again();
      this.#count();
    });
  }

  /** The connection was cut; `at` is when the next try is, `taken` says that the old connection still has the name. */
  cut(name, { at = 0, taken = false }) {
    const key = taken ? "cutTaken" : "cut";
    // Said once and not at each try.
    this.#show(`${key} ${name}`, ...sentence(this.words.raw(key), { name: nameNode(name ?? "") }));
    setText(this.act, this.words.say("tryNow"));
    this.#at = at;
    this.#stop();
    this.#timer = setInterval(() => this.#count(), 1_000);
    this.#count();
  }

  /** It ended for good: `closed`, or `why` in the server's words. */
  ended({ closed = false, why = "" }) {
    this.#stop();
    setText(this.countdown, "");
    const { say, language } = this.words;
    this.#show(`ended ${why}`, closed ? say("closed") : say("ended", { why: harmless(serverWords(why, language).text) }));
    setText(this.act, say("again"));
  }

  hide() {
    this.#stop();
    this.#said = "";
    this.root.hidden = true;
  }

  #show(said, ...nodes) {
    this.root.hidden = false;
    if (this.#said !== said) this.text.replaceChildren(...nodes);
    this.#said = said;
  }

  #count() {
    if (this.connection.state === "ended") return;
    const seconds = Math.ceil((this.#at - Date.now()) / 1_000);
    setText(this.countdown, seconds > 0 ? this.words.say("cutIn", { count: seconds }) : this.words.say("cutNow"));
  }

  #stop() {
    clearInterval(this.#timer);
    this.#timer = null;
  }
}
