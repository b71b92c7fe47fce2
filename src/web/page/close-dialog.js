// The dialog that asks for confirmation before the server is closed for everyone. It also shows the server's refusal.

import { byId, setText } from "./dom.js";
import { serverWords } from "./server-words.js";
import { harmless } from "./text.js";

export class CloseDialog {
  constructor(chat, words) {
    this.words = words;
    this.dialog = byId("close-dialog");
    this.error = byId("close-error");
    this.yes = byId("close-yes");
    byId("close-no").addEventListener("click", () => this.close());
    this.yes.addEventListener("click", () => {
      this.#say(words.say(chat.askToClose() ? "closing" : "notConnected"), words.language);
    });
  }

  ask() {
    this.#say("", this.words.language);
    this.dialog.showModal();
    byId("close-no").focus();
  }

  refused(why) {
    const told = serverWords(why, this.words.language);
    this.#say(harmless(told.text), told.language);
  }

  close() {
    setText(this.error, "");
    if (this.dialog.open) this.dialog.close();
  }

  #say(text, language) {
    setText(this.error, text);
    this.error.lang = language;
  }
}
