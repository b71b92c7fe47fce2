// The state of the chat: applies received messages to conversations, people and streams, and writes the messages to
// send. No DOM, and no network but the `send` function that it is given.

import { Conversations } from "./conversations.js";
import { Deliveries, SAID } from "./deliveries.js";
import { addPart, listing } from "./files.js";
import { Outstanding } from "./outstanding.js";
import { People } from "./people.js";
import { ALL_CLIENTS, MESSAGE_BYTES, NO_FILES, NO_SOUND, SERVER, bytes, fold, write } from "./protocol.js";
import { line } from "./short-forms.js";
import { Streams } from "./streams.js";

/**
 * DATA of a mark: an echo sent after a request that the server does not answer, such as a private message, or whose
 * answer has no recognizable end, such as a list of clients in several parts. When it comes back, the server has
 * carried out everything before it.
 */
const MARK = "done so far";
/** Requests after which a mark is needed. */
const UNANSWERED = new Set(["broadcast_not_me", "private_message", "watch", "list_streams"]);
/** Matches texts of the server about a message that it did not carry out. */
const NOT_TAKEN = /was not sent|was dropped|is no message|SENDER is/;

export class Chat {
  #send;
  #now;
  #told;
  /** By operation, the conversation in which its short form was last typed; the answers appear there. */
  #typedIn = new Map();

  /**
   * `send(line)` returns false if nothing can be sent now. `told(what, conversation, entry)` is called for each new
   * `entry` and each that has `changed`, for a stream that `plays`, for one of the `streams` that has `ended`, for a
   * complete list of `people` or of streams (`listed`), and for the server's refusal to `close`.
   */
  constructor({ send, now, told }) {
    this.me = null;
    this.limit = MESSAGE_BYTES;
    this.conversations = new Conversations();
    this.people = new People();
    this.streams = new Streams();
    this.outstanding = new Outstanding();
    this.deliveries = new Deliveries(this.outstanding, {
      append: (conversation, entry) => this.#append(conversation, entry, true),
      changed: (conversation, entry) => told("changed", conversation, entry),
    });
    this.#send = send;
    this.#now = now;
    this.#told = told;
  }

  /**
   * Handles that the connection was joined under this name. After a cut, all conversations stay. Returns whether the
   * user has another name than before.
   */
  entered(name) {
    const was = this.me;
    this.me = name;
    this.outstanding.clear();
    this.people.came([name]);
    const isRenamed = was !== null && !this.isMe(fold(was));
    if (isRenamed) this.#renamed(was, name);
    if (was !== null) this.note(this.conversations.everyone, isRenamed ? "cameBackAs" : "cameBack", { name, was });
    return isRenamed;
  }

  /** Handles that the user has another name: somebody else may have the old one. */
  #renamed(was, name) {
    this.people.departed([was]);
    this.#typedIn.clear();
    this.conversations.rename(was, name);
    // From the oldest, so that the order of conversations stays.
    for (const conversation of this.conversations.persons().reverse()) {
      if (conversation.size > 0) this.note(conversation, "nameNow", { name, was });
    }
  }

  /** Handles the end of the connection. Unanswered messages stay, marked as `unsure`: they may not have arrived. */
  left() {
    for (const item of this.outstanding.clear()) {
      if (SAID.has(item.kind)) this.deliveries.settle(item, "unsure");
    }
    this.people.finish();
    this.streams.forget();
  }

  /** Clears all data of a user who has left, so that the next user of this page sees none of it. */
  forget() {
    this.me = null;
    this.limit = MESSAGE_BYTES;
    this.conversations.clear();
    this.people.clear();
    this.streams.forget();
    this.outstanding.clear();
    this.#typedIn.clear();
  }

  /** Sends a mark to find out whether the server still answers. */
  probe() {
    this.#mark();
  }

  /** Whether this is the key of the user's own name. */
  isMe(key) {
    return this.me !== null && fold(this.me) === key;
  }

  /** The message that sends a text into a conversation. */
  #line(conversation, text, others) {
    if (conversation.isEveryone) {
      return write(this.me ?? "", ALL_CLIENTS, others ? "broadcast_not_me" : "broadcast", text);
    }
    const operation = this.isMe(conversation.key) ? "echo" : "private_message";
    return write(this.me ?? "", conversation.name, operation, text);
  }

  /** The length of that message in bytes. */
  measure(conversation, text, others) {
    return bytes(this.#line(conversation, text, others));
  }

  /** The length in bytes of the message that a short form sends. */
  measureCommand(action) {
    return bytes(line(this.me ?? "", action));
  }

  /** The conversation with a person whose name was typed, with the name spelled as that person does if it is known. */
  named(name) {
    const key = fold(name);
    return this.conversations.get(key) ?? this.conversations.with(this.people.nameOf(key) ?? name);
  }

  /** Sends the request of a short form; its answers appear in `conversation`. False if it cannot be sent now. */
  ask(action, conversation) {
    if (!this.#send(line(this.me, action))) return false;
    this.#typedIn.set(action.operation, conversation);
    this.outstanding.add({ kind: action.operation, conversation });
    this.#mark();
    return true;
  }

  /** Appends a note of the page to a conversation. */
  note(conversation, text, more) {
    this.#append(conversation, this.#entry("note", text, more), true);
  }

  /** Sends a line into a conversation; false if it cannot be sent now. */
  say(conversation, text, others = false) {
    if (!this.#send(this.#line(conversation, text, others))) return false;
    const { isEveryone } = conversation;
    const to = isEveryone ? (others ? "others" : "all") : "me";
    const entry = { kind: "said", by: this.me, mine: true, text, at: this.#now(), to, state: null };
    if (isEveryone && !others) {
      conversation.pending.push(entry);
      this.outstanding.add({ kind: "broadcast", conversation, entry });
    } else if (this.isMe(conversation.key)) {
      conversation.pending.push(entry);
      this.outstanding.add({ kind: "echo", conversation, entry });
    } else {
      this.#append(conversation, entry);
      this.outstanding.add({ kind: isEveryone ? "broadcast_not_me" : "private_message", conversation, entry });
      this.#mark();
    }
    return true;
  }

  /**
   * Requests the list of clients, and the changes that follow, unless a request is under way; false if it cannot be sent
   * now.
   */
  askPeople() {
    if (this.me === null) return false;
    if (this.outstanding.all(({ kind }) => kind === "watch").length > 0) return true;
    if (!this.#send(write(this.me, SERVER, "watch"))) return false;
    this.outstanding.add({ kind: "watch" });
    this.people.begin();
    this.#mark();
    return true;
  }

  /** Sends a mark unless one is under way; when that one comes back, another follows if needed. */
  #mark() {
    if (this.askedAt !== null) return;
    if (this.#send(write(this.me, this.me, "echo", MARK))) this.outstanding.add({ kind: "mark", at: this.#now() });
  }

  /** Requests a person's list of files; false if it cannot be sent now. */
  askFiles(conversation) {
    if (!this.#send(write(this.me, conversation.name, "list_files"))) return false;
    this.outstanding.add({ kind: "list_files", conversation });
    this.#append(conversation, this.#entry("note", "filesAsked", { name: conversation.name }));
    return true;
  }

  /** Asks a person to play a file, unless a request for it is under way; false if it cannot be sent now. */
  askPlay(name, file) {
    if (this.streams.isAsked(name, file, this.#now())) return true;
    if (!this.#send(write(this.me, name, "play", file))) return false;
    const conversation = this.conversations.with(name);
    this.outstanding.add({ kind: "play", conversation });
    this.streams.ask(name, file, this.#now());
    this.#append(conversation, this.#entry("note", "playAsked", { name, file }));
    return true;
  }

  /** Requests the server's limits, which include the maximum length of a message. */
  askLimits() {
    this.#send(write(this.me, SERVER, "limits"));
  }

  /** Requests the list of streams, unless a request is under way; false if it cannot be sent now. */
  askStreams() {
    if (this.me === null) return false;
    if (this.outstanding.all(({ kind }) => kind === "list_streams").length > 0) return true;
    if (!this.#send(write(this.me, SERVER, "list_streams"))) return false;
    this.outstanding.add({ kind: "list_streams" });
    this.streams.begin();
    this.#mark();
    return true;
  }

  askToClose() {
    if (!this.#send(write(this.me, SERVER, "close_server", "close server"))) return false;
    this.outstanding.add({ kind: "close_server" });
    return true;
  }

  leave() {
    return this.#send(write(this.me, SERVER, "exit", `client ${this.me} closed`));
  }

  /** The time at which the mark that is under way was sent, or null. */
  get askedAt() {
    return this.outstanding.all(({ kind }) => kind === "mark")[0]?.at ?? null;
  }

  /** Handles a received message; `told` is its meaning. */
  receive(told) {
    switch (told.is) {
      case "said":
        this.#said(told);
        break;
      case "echo":
        this.#echoed(told.text);
        break;
      case "people":
        this.people.part(told.names, told.place);
        break;
      case "came":
        this.people.came(told.names);
        break;
      case "departed":
        this.people.departed(told.names);
        break;
      case "filesWanted":
        this.#wanted(told.by, "list_files", NO_FILES, "filesWanted");
        break;
      case "files":
        this.#files(told);
        break;
      case "soundWanted":
        this.#wanted(told.by, "play", NO_SOUND, "soundWanted");
        break;
      case "plays":
        this.#plays(told);
        break;
      case "cannotPlay":
        this.#cannotPlay(told);
        break;
      case "notPlayed":
        this.#notPlayed(told.why);
        break;
      case "streams":
        if (told.found) this.streams.part(told.found, (name) => this.people.has(fold(name)));
        break;
      case "streamEnded":
        this.#append(this.conversations.everyone, this.#entry("server", told.text), true);
        this.#told("streams", null, { ended: told.text });
        break;
      case "notFound":
        this.#notFound(told);
        break;
      case "refusal":
        this.#refused(told);
        break;
      case "limits":
        this.#limits(told);
        break;
      case "serverSays":
        this.#serverSays(told);
        break;
      case "other":
        this.#append(
          this.conversations.everyone,
          this.#entry("said", `${told.operation}: ${told.text}`, { by: told.by }),
        );
        break;
      default:
    }
  }

  #entry(kind, text, more = {}) {
    return { kind, by: "", mine: false, text, at: this.#now(), to: "me", state: null, ...more };
  }

  #append(conversation, entry, quiet = false) {
    this.conversations.append(conversation, entry);
    this.#told("entry", conversation, entry, quiet);
    return entry;
  }

  #said({ by, to, text }) {
    const { everyone } = this.conversations;
    const mine = this.isMe(fold(by));
    const conversation = to === "me" ? this.conversations.with(by) : everyone;
    if (mine && to === "all") {
      this.deliveries.confirm(this.outstanding.take(({ kind, entry }) => kind === "broadcast" && entry.text === text));
    }
    this.#append(conversation, { ...this.#entry("said", text), by, mine, to }, mine);
  }

  #echoed(text) {
    const fits = ({ kind, entry }) => (kind === "mark" ? text === MARK : kind === "echo" && entry.text === text);
    if (this.outstanding.all(fits)[0]?.kind === "mark") {
      this.#marked(this.outstanding.answered(fits));
      return;
    }
    this.deliveries.confirm(this.outstanding.take(fits));
    const conversation = this.conversations.with(this.me);
    this.#append(conversation, { ...this.#entry("said", text), by: this.me, mine: true }, true);
  }

  /** Handles a mark that came back: requests before it are done, and a broadcast that has not come back never will. */
  #marked(done) {
    for (const item of done) this.deliveries.passed(item);
    if (done.some(({ kind }) => kind === "watch")) {
      this.people.finish();
      this.#told("people", null, null);
    }
    if (done.some(({ kind }) => kind === "list_streams")) {
      this.streams.finish();
      this.#told("listed", null, null);
    }
    if (this.outstanding.all(({ kind }) => UNANSWERED.has(kind)).length > 0) this.#mark();
  }

  /** Answers a person's request for files or sound, which a browser does not have. */
  #wanted(by, operation, answer, note) {
    this.#send(write(this.me, by, operation, answer));
    const conversation = this.conversations.with(by);
    const { last } = conversation;
    // Repeated requests add one note only.
    const isAgain = last?.kind === "note" && last.text === note;
    if (!isAgain) this.#append(conversation, this.#entry("note", note, { name: by }), true);
  }

  #files({ of, text }) {
    const conversation = this.conversations.with(of);
    this.outstanding.take(({ kind, conversation: asked }) => kind === "list_files" && asked === conversation);
    const { last } = conversation;
    if (last?.kind === "files" && addPart(last.listing, text)) {
      this.#told("changed", conversation, last);
      return;
    }
    this.#append(conversation, { ...this.#entry("files", text), by: of, listing: listing(text) });
  }

  #plays({ by, file, path }) {
    // Plays only what the user asked for.
    if (!this.streams.plays(by, file)) return;
    if (path === null) this.#append(this.conversations.with(by), this.#entry("note", "noSound", { name: by, file }));
    else this.#told("plays", this.conversations.with(by), { name: by, file, path });
  }

  #cannotPlay({ by, why }) {
    const file = this.streams.cannot(by, why)?.file ?? "";
    // Arauto's clients put the name of the file before the reason; the note names it already.
    const named = `${file}: `;
    const reason = why.startsWith(named) ? why.slice(named.length) : why;
    const note = this.#entry("note", "willNotPlay", { name: by, file, why: reason });
    this.#append(this.conversations.with(by), note);
  }

  #notPlayed(why) {
    const asked = this.streams.notPlayed(why);
    const conversation = asked ? this.conversations.with(asked.name) : this.conversations.everyone;
    this.#append(conversation, this.#entry("error", why));
  }

  #limits({ bytes: most, text }) {
    this.limit = most;
    // The page also requests the limits by itself; that answer is not shown.
    const conversation = this.#typedIn.get("limits");
    if (conversation) this.#append(conversation, this.#entry("server", text));
    this.#typedIn.delete("limits");
  }

  #serverSays({ operation, text }) {
    const conversation = this.#typedIn.get(operation) ?? this.conversations.everyone;
    this.#append(conversation, this.#entry("server", text));
  }

  #notFound({ operation, name, why }) {
    const key = fold(name);
    const fits = ({ kind, conversation }) => kind === operation && conversation?.key === key;
    const item = this.outstanding.take(fits) ?? this.outstanding.take(({ kind }) => kind === operation);
    const conversation = item?.conversation ?? this.conversations.get(key) ?? this.conversations.everyone;
    if (operation === "play") this.streams.cannot(name, "");
    if (item?.entry) this.deliveries.settle(item, "failed");
    this.#append(conversation, this.#entry("error", why));
  }

  #refused({ operation, why }) {
    const limit = why.match(/a message has at most (\d+) bytes/);
    if (limit) this.limit = Number(limit[1]);
    const close = operation === "error_message" && !NOT_TAKEN.test(why);
    if (close && this.outstanding.take(({ kind }) => kind === "close_server")) {
      this.#told("close", null, { why });
      return;
    }
    const first = this.deliveries.waiting[0] ?? this.outstanding.newest;
    const conversation = first?.conversation ?? this.conversations.current;
    if (NOT_TAKEN.test(why)) this.deliveries.refused(why);
    this.#append(conversation, this.#entry("error", why));
  }
}
