// The forms for the name, and for the password if the name has an account. Each shows the server's refusals below its
// field. After a cut, they also say that the conversations stay, whatever the name.

import { byId, isComposing, nameNode, renew, sentence, setText } from "./dom.js";
import { serverWords } from "./server-words.js";
import { harmless } from "./text.js";

export class Entrance {
  /** `kept()` is the name under which the page has conversations, or null. */
  constructor(connection, words, kept) {
    this.connection = connection;
    this.words = words;
    this.kept = kept;
    this.root = byId("entrance");
    this.nameForm = byId("name-form");
    this.passwordForm = byId("password-form");
    this.name = byId("name");
    this.password = byId("password");
    for (const form of [this.nameForm, this.passwordForm]) {
      form.addEventListener("keydown", (event) => {
        // The Enter that ends an input method's composition must not submit the form.
        if (event.key === "Enter" && isComposing(event)) event.preventDefault();
      });
    }
    this.nameForm.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#enter();
    });
    this.passwordForm.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#givePassword();
    });
    byId("other-name").addEventListener("click", () => this.#otherName());
    byId("kept-delete").addEventListener("click", () => connection.cancel());
    this.nameForm.addEventListener("input", () => this.#complain("name", ""));
    this.passwordForm.addEventListener("input", () => this.#complain("password", ""));
  }

  get isShown() {
    return !this.root.hidden;
  }

  hide() {
    this.root.hidden = true;
  }

  /** Clears the fields, including what undo would restore. */
  forget() {
    this.name = renew(this.name);
    this.#renewPassword();
    byId("password-hint").replaceChildren();
    byId("account").value = "";
    this.#complain("name", "");
    this.#complain("password", "");
  }

  /** Asks for a name. `why` is the server's refusal, if any; `unreachable` says that no server answered. */
  askName({ why = null, unreachable = false } = {}) {
    this.#open(this.nameForm);
    this.#busy(false);
    if (why !== null) this.#complainOf("name", why);
    else this.#complain("name", unreachable ? this.words.say("unreachable") : "");
    this.name.focus();
    this.name.select();
  }

  askPassword({ name, why }) {
    this.#open(this.passwordForm);
    this.#busy(false);
    byId("password-hint").replaceChildren(...sentence(this.words.raw("passwordHint"), { name: nameNode(name) }));
    // A hidden field, for the browser's password manager.
    byId("account").value = name;
    if (why !== null) this.#complainOf("password", why);
    else this.#complain("password", "");
    this.password.focus();
  }

  /** Shows that the page is waiting for the server's answer. */
  wait() {
    this.#busy(true);
  }

  #open(form) {
    this.root.hidden = false;
    this.nameForm.hidden = form !== this.nameForm;
    this.passwordForm.hidden = form !== this.passwordForm;
    const name = this.kept();
    const hint = name === null ? [] : sentence(this.words.raw("kept"), { name: nameNode(name) });
    byId("kept").hidden = name === null;
    byId("kept-hint").replaceChildren(...hint);
  }

  #otherName() {
    this.#renewPassword();
    if (this.kept() === null) this.connection.cancel();
    else this.connection.abandon();
  }

  #enter() {
    if (this.isBusy) return;
    const name = this.name.value.trim();
    if (name === "") this.#complain("name", this.words.say("nameEmpty"));
    else this.connection.enter(name);
  }

  #givePassword() {
    if (this.isBusy) return;
    const password = this.password.value;
    this.#renewPassword();
    if (password === "") this.#complain("password", this.words.say("passwordEmpty"));
    else this.connection.givePassword(password);
  }

  #renewPassword() {
    const isFocused = document.activeElement === this.password;
    this.password = renew(this.password);
    if (isFocused) this.password.focus();
  }

  #busy(isBusy) {
    this.isBusy = isBusy;
    for (const form of [this.nameForm, this.passwordForm]) {
      const button = form.querySelector("[type=submit]");
      setText(button, this.words.say(isBusy ? "entering" : "enter"));
      button.setAttribute("aria-disabled", String(isBusy));
    }
    if (isBusy) {
      this.#complain("name", "");
      this.#complain("password", "");
    }
  }

  #complainOf(field, why) {
    const told = serverWords(why, this.words.language);
    this.#complain(field, harmless(told.text), told.language);
  }

  #complain(field, text, language = this.words.language) {
    const place = byId(`${field}-error`);
    setText(place, text);
    place.lang = language;
    this[field].setAttribute("aria-invalid", String(text !== ""));
  }
}
