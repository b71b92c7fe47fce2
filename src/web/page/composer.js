// The composer. Typed text is never lost: each conversation has its own draft, which keeps lines that cannot be sent.

import { byId, isComposing, renew, setText } from "./dom.js";
import { forbidden, lines } from "./protocol.js";
import { serverWords } from "./server-words.js";
import { hiddenIn, read, typed } from "./short-forms.js";
import { harmless } from "./text.js";

/** Share of the length limit above which the number of bytes is shown. */
const SHOW_FROM = 0.7;
/** Operations that ask for confirmation or end the session, so that no other line may be sent with them. */
const ALONE = { exit: "/exit", close_server: "/close" };

export class Composer {
  #conversation = null;

  /** `commands(action, conversation)` carries out a short form and returns false if it cannot be sent now. */
  constructor(chat, words, { canSend, commands, sent, resized }) {
    this.chat = chat;
    this.words = words;
    this.canSend = canSend;
    this.commands = commands;
    this.sent = sent;
    this.resized = resized;
    this.text = byId("text");
    this.others = byId("others");
    this.complaint = byId("complaint");
    this.count = byId("count");
    this.form = byId("composer");
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
      this.text.focus();
    });
    this.form.addEventListener("keydown", (event) => {
      if (event.target !== this.text || event.key !== "Enter" || event.shiftKey || isComposing(event)) return;
      event.preventDefault();
      this.#send();
    });
    this.form.addEventListener("input", () => {
      setText(this.complaint, "");
      this.#typed();
    });
  }

  /** Clears the fields, including what undo would restore. */
  forget() {
    this.text = renew(this.text);
    this.others = renew(this.others);
  }

  show(conversation, label) {
    this.#conversation = conversation;
    this.text.value = conversation.draft;
    this.text.placeholder = label;
    this.text.setAttribute("aria-label", label);
    byId("others-label").hidden = !conversation.isEveryone;
    setText(this.complaint, "");
    this.#typed();
  }

  focus() {
    this.text.focus();
  }

  /** Handles that texts can be sent again: the complaint that they cannot is no longer true. */
  connected() {
    if (this.complaint.textContent === this.words.say("notConnected")) setText(this.complaint, "");
  }

  /** Appends an undelivered text to the draft. `to` is its audience: all, others or me. */
  editAgain(text, to) {
    const { value } = this.text;
    if (value === "") this.others.checked = to === "others";
    this.text.value = value === "" ? typed(text) : `${value}\n${typed(text)}`;
    this.#typed();
    this.text.focus();
  }

  #isToOthers() {
    return this.#conversation.isEveryone && this.others.checked;
  }

  #typed() {
    const { text, count, chat } = this;
    this.#conversation.draft = text.value;
    text.style.height = "auto";
    text.style.height = `${text.scrollHeight + text.offsetHeight - text.clientHeight}px`;
    this.resized();
    const said = lines(text.value);
    const longest = said.reduce((most, line) => (line.length > most.length ? line : most), "");
    // Measures lines at each key only if the longest could reach SHOW_FROM: 4 bytes per character bound its length.
    const used = longest.length * 4 < chat.limit * SHOW_FROM ? 0 : this.#longest(said);
    const isLong = used > chat.limit;
    count.classList.toggle("over", isLong);
    text.setAttribute("aria-invalid", String(isLong));
    const { say } = this.words;
    if (used > chat.limit * SHOW_FROM)
      setText(count, say("count", { used: this.#number(used), most: this.#number(chat.limit) }));
    else setText(count, said.length > 1 ? say("severalLines", { count: this.#number(said.length) }) : "");
  }

  #number(count) {
    return count.toLocaleString(this.words.locale);
  }

  #longest(said) {
    return said.map(read).reduce((most, action) => Math.max(most, this.#measure(action)), 0);
  }

  #measure(action) {
    if (action.why !== undefined) return 0;
    if (action.text === undefined) return this.chat.measureCommand(action);
    return this.chat.measure(this.#conversation, action.text, this.#isToOthers());
  }

  #send() {
    const said = lines(this.text.value);
    if (said.length === 0) return;
    const actions = said.map(read);
    setText(this.complaint, this.#hindrance(said, actions));
    if (this.complaint.textContent !== "") return;
    let taken = 0;
    while (taken < said.length && this.#do(actions[taken])) taken += 1;
    this.text.value = said.slice(taken).join("\n");
    if (taken < said.length) setText(this.complaint, this.words.say(this.canSend() ? "slow" : "notConnected"));
    this.#typed();
    this.sent();
  }

  #do(action) {
    if (action.text === undefined) return this.commands(action, this.#conversation);
    return this.chat.say(this.#conversation, action.text, this.#isToOthers());
  }

  /** The reason why no line of a text can be sent, or "". */
  #hindrance(said, actions) {
    const { say, language } = this.words;
    const held = actions.find(({ why }) => why !== undefined);
    if (held) return `${harmless(serverWords(held.why, language).text)}. ${say("twoSlashes")}`;
    const alone = actions.find(({ operation }) => Object.hasOwn(ALONE, operation ?? ""));
    if (alone && actions.length > 1) return say("alone", { form: ALONE[alone.operation] });
    if (alone?.hasWords) return `${say("withWords", { form: ALONE[alone.operation] })} ${say("twoSlashes")}`;
    if (!this.canSend() && alone?.operation !== "exit") return say("notConnected");
    const { limit } = this.chat;
    const over = this.#longest(said) - limit;
    if (over > 0) return say("tooLong", { over: this.#number(over), most: this.#number(limit) });
    for (const [index, line] of said.entries()) {
      const why = this.#refusal(line, actions[index]);
      if (why !== "") return said.length > 1 ? say("inMessage", { number: this.#number(index + 1), why }) : why;
    }
    return "";
  }

  /** The reason why the server would refuse a character of a line, or "". */
  #refusal(line, action) {
    const control = forbidden(line);
    const found = control ?? hiddenIn(line, action);
    if (!found) return "";
    const code = `U+${found.code.toString(16).toUpperCase().padStart(4, "0")}`;
    return this.words.say(control ? "forbidden" : "hidden", { place: found.place, code });
  }
}
