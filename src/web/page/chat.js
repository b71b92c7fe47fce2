// What happens in the room: what messages do to conversations and people, and what is sent. No page; the network is the
// `send` it is given.

import { Conversations } from "./conversations.js";
import { addPart, listing } from "./files.js";
import { Outstanding } from "./outstanding.js";
import { People } from "./people.js";
import { ALL_CLIENTS, MESSAGE_BYTES, NO_FILES, NO_SOUND, SERVER, bytes, fold, write } from "./protocol.js";
import { line } from "./short-forms.js";
import { Streams } from "./streams.js";

/**
 * What is sent to oneself behind what the server does not answer, or not with a last word: a private message, a list of
 * clients that may have several parts. When it comes back, all before it is done.
 */
const MARK = "done so far";
/** What asks for a mark behind it. */
const UNANSWERED = new Set(["broadcast_not_me", "private_message", "list_clients", "list_streams"]);
/** Words of the server about a message that it did not take. */
const NOT_TAKEN = /was not sent|was dropped|is no message|SENDER is/;
const SAID = new Set(["broadcast", "broadcast_not_me", "private_message", "echo"]);

export class Chat {
  #send;
  #now;
  #told;
  /** Where the answers to a command stand: the conversation in which it was last typed, by operation. */
  #typedIn = new Map();

  /**
   * `send(line)` is false if nothing can be sent now. `told(what, conversation, entry)` is called for each `entry`, for
   * someone `unknown` who spoke, for a stream that `plays`, for a list of `people` or of streams (`listed`) that has
   * come, and for the server's answer to `close`.
   */
  constructor({ send, now, told }) {
    this.me = null;
    this.limit = MESSAGE_BYTES;
    this.conversations = new Conversations();
    this.people = new People();
    this.streams = new Streams();
    this.outstanding = new Outstanding();
    this.#send = send;
    this.#now = now;
    this.#told = told;
  }

  /** The connection has a name now. */
  entered(name) {
    this.me = name;
    this.outstanding.clear();
    this.people.heard(name);
  }

  /** The connection is gone. What was sent and not answered may not have arrived: that is said, and nothing is lost. */
  left() {
    for (const item of this.outstanding.clear()) {
      if (!SAID.has(item.kind)) continue;
      if (item.entry.seq === undefined) this.#unconfirmed(item);
      else {
        Object.assign(item.entry, { state: "unsure", late: false });
        this.#told("changed", item.conversation, item.entry);
      }
    }
    this.people.abandon();
    this.streams.forget();
  }

  /** Forgets all of a user who has left: the next one at this page begins empty. */
  forget() {
    this.me = null;
    this.limit = MESSAGE_BYTES;
    this.conversations.clear();
    this.people.clear();
    this.streams.forget();
    this.outstanding.clear();
    this.#typedIn.clear();
  }

  /** Shows what was sent before this time and is not answered to be late; whether there is any. */
  markLate(before) {
    const late = this.outstanding.all(({ entry }) => entry && entry.at <= before);
    for (const { conversation, entry } of late) {
      if (entry.late) continue;
      entry.late = true;
      this.#told("changed", conversation, entry);
    }
    return late.length > 0;
  }

  /** Finds out whether the server still answers. */
  probe() {
    this.#mark();
  }

  /** Whether someone is oneself. */
  isMe(key) {
    return this.me !== null && fold(this.me) === key;
  }

  /** The message that would carry a text into a conversation. */
  #line(conversation, text, others) {
    if (conversation.isEveryone) {
      return write(this.me ?? "", ALL_CLIENTS, others ? "broadcast_not_me" : "broadcast", text);
    }
    const operation = this.isMe(conversation.key) ? "echo" : "private_message";
    return write(this.me ?? "", conversation.name, operation, text);
  }

  /** How many bytes that message would have. */
  measure(conversation, text, others) {
    return bytes(this.#line(conversation, text, others));
  }

  /** How many bytes the message of a short form would have. */
  measureCommand(action) {
    return bytes(line(this.me ?? "", action));
  }

  /** The conversation with somebody whose name was typed, under the name as its bearer writes it. */
  named(name) {
    const key = fold(name);
    return this.conversations.get(key) ?? this.conversations.with(this.people.nameOf(key) ?? name);
  }

  /** Asks what a short form asks for; the answers stand in `conversation`. False if it cannot be sent now. */
  ask(action, conversation) {
    if (!this.#send(line(this.me, action))) return false;
    this.#typedIn.set(action.operation, conversation);
    this.outstanding.add({ kind: action.operation, conversation });
    this.#mark();
    return true;
  }

  /** Writes a note of the page into a conversation. */
  note(conversation, text, more) {
    this.#append(conversation, this.#entry("note", text, more), true);
  }

  /** Says a line into a conversation; false if it cannot be sent now. */
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

  /** Asks who is here, unless that is being answered already; false if it cannot be sent now. */
  askPeople() {
    if (this.me === null) return false;
    if (this.people.isGathering && this.askedAt !== null) return true;
    if (!this.#send(write(this.me, SERVER, "list_clients"))) return false;
    this.outstanding.add({ kind: "list_clients" });
    this.people.begin();
    this.#mark();
    return true;
  }

  /** Sends a mark unless one is under way; when that one is back, another follows if it is needed. */
  #mark() {
    if (this.askedAt !== null) return;
    if (this.#send(write(this.me, this.me, "echo", MARK))) this.outstanding.add({ kind: "mark", at: this.#now() });
  }

  /** Asks a person for the list of files; false if that cannot be sent now. */
  askFiles(conversation) {
    if (!this.#send(write(this.me, conversation.name, "list_files"))) return false;
    this.outstanding.add({ kind: "list_files", conversation });
    this.#append(conversation, this.#entry("note", "filesAsked", { name: conversation.name }));
    return true;
  }

  /** Asks a person to play a file; false if that cannot be sent now. */
  askPlay(name, file) {
    if (!this.#send(write(this.me, name, "play", file))) return false;
    const conversation = this.conversations.with(name);
    this.outstanding.add({ kind: "play", conversation });
    this.streams.ask(name, file);
    this.#append(conversation, this.#entry("note", "playAsked", { name, file }));
    return true;
  }

  /** Asks how long a message may be. */
  askLimits() {
    this.#send(write(this.me, SERVER, "limits"));
  }

  /** Asks what is on, unless that is being answered already; false if it cannot be sent now. */
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

  /** Since when a mark has been under way, or null. */
  get askedAt() {
    return this.outstanding.all(({ kind }) => kind === "mark")[0]?.at ?? null;
  }

  /** A message came; `told` is its meaning. */
  receive(told) {
    switch (told.is) {
      case "said":
        this.#said(told);
        break;
      case "echo":
        this.#echoed(told.text);
        break;
      case "clients":
        this.people.part(told.names);
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
        this.#told("streams", null, null);
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
      this.#confirm(this.outstanding.take(({ kind, entry }) => kind === "broadcast" && entry.text === text));
    }
    if (!mine && this.people.heard(by)) this.#told("unknown", conversation, null);
    this.#append(conversation, { ...this.#entry("said", text), by, mine, to }, mine);
  }

  #echoed(text) {
    const fits = ({ kind, entry }) => (kind === "mark" ? text === MARK : kind === "echo" && entry.text === text);
    if (this.outstanding.all(fits)[0]?.kind === "mark") {
      this.#marked(this.outstanding.answered(fits));
      return;
    }
    this.#confirm(this.outstanding.take(fits));
    const conversation = this.conversations.with(this.me);
    this.#append(conversation, { ...this.#entry("said", text), by: this.me, mine: true }, true);
  }

  /** A mark came back: all before it is done, and a broadcast among it that has not come back never will. */
  #marked(done) {
    for (const item of done) {
      if (item.entry && item.entry.seq === undefined) this.#unconfirmed(item);
      else if (item.entry) this.#isOnTime(item);
    }
    if (done.some(({ kind }) => kind === "list_clients")) {
      this.people.finish();
      this.#told("people", null, null);
    }
    if (done.some(({ kind }) => kind === "list_streams")) {
      this.streams.finish();
      this.#told("listed", null, null);
    }
    if (this.outstanding.all(({ kind }) => UNANSWERED.has(kind)).length > 0) this.#mark();
  }

  #confirm(item) {
    if (item) remove(item.conversation.pending, item.entry);
  }

  #isOnTime({ conversation, entry }) {
    if (!entry.late) return;
    entry.late = false;
    this.#told("changed", conversation, entry);
  }

  #unconfirmed({ conversation, entry }, state = "unsure", why = null) {
    remove(conversation.pending, entry);
    this.#append(conversation, Object.assign(entry, { state, why, late: false }), true);
  }

  /** Somebody wants what a browser has not. */
  #wanted(by, operation, answer, note) {
    this.people.heard(by);
    this.#send(write(this.me, by, operation, answer));
    const conversation = this.conversations.with(by);
    const { last } = conversation;
    // Who asks again and again gets no line for each time.
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
    // Only what was asked for here is heard here.
    if (!this.streams.plays(by, file)) return;
    if (path === null) this.#append(this.conversations.with(by), this.#entry("note", "noSound", { name: by, file }));
    else this.#told("plays", this.conversations.with(by), { name: by, file, path });
  }

  #cannotPlay({ by, why }) {
    const asked = this.streams.cannot(by, why);
    const note = this.#entry("note", "willNotPlay", { name: by, file: asked?.file ?? "", why });
    this.#append(this.conversations.with(by), note);
  }

  #notPlayed(why) {
    const asked = this.streams.notPlayed(why);
    const conversation = asked ? this.conversations.with(asked.name) : this.conversations.everyone;
    this.#append(conversation, this.#entry("error", why));
  }

  #limits({ bytes: most, text }) {
    this.limit = most;
    // The page asks by itself, too: that answer is for nobody to read.
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
    this.people.gone(name);
    if (operation === "play") this.streams.cannot(name, "");
    if (item?.entry) {
      Object.assign(item.entry, { state: "failed", late: false });
      this.#told("changed", conversation, item.entry);
    }
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
    const waiting = this.outstanding.all(({ kind }) => SAID.has(kind));
    const conversation =
      waiting[0]?.conversation ?? this.outstanding.newest?.conversation ?? this.conversations.current;
    if (NOT_TAKEN.test(why)) this.#notTaken(waiting, why);
    this.#append(conversation, this.#entry("error", why));
  }

  /** Marks the message that the server did not take, where there is no doubt which one it was. */
  #notTaken(waiting, why) {
    const all = waiting.every(({ kind }) => kind === "broadcast");
    if (waiting.length === 0 || (waiting.length > 1 && !all)) return;
    const item = this.outstanding.take((candidate) => candidate === waiting[0]);
    if (item.entry.seq === undefined) {
      this.#unconfirmed(item, "failed", why);
    } else {
      Object.assign(item.entry, { state: "failed", late: false });
      this.#told("changed", item.conversation, item.entry);
    }
  }
}

function remove(array, item) {
  const place = array.indexOf(item);
  if (place >= 0) array.splice(place, 1);
}
