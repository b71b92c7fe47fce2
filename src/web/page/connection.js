// The connection to the server: opens a WebSocket, sends the name, and reconnects after a cut. No DOM.

import { MESSAGE_BYTES, SERVER, bytes, parse, write } from "./protocol.js";
import { meaning } from "./meaning.js";

/** Pauses in milliseconds before each try after a cut; the last one applies to all further tries. */
export const PAUSES = [500, 1_000, 2_000, 4_000, 8_000, 15_000, 30_000];
/** Number of retries while the old connection still holds the name, before the user is asked for another. */
export const TAKEN_TRIES = 6;
/** Time in milliseconds within which the server must confirm the name or ask the user for a password. */
export const ENTER_MS = 20_000;
/** Maximum number of unsent bytes in the browser's buffer above which nothing more is sent. */
export const WAITING_BYTES = 256 * 1024;

/**
 * States, as passed to `changed(state, detail)`:
 * - `idle`: not connected; `detail.left` if the user left, `detail.why` if the server refused the name,
 *   `detail.unreachable` if no server answered
 * - `entering`: opening, or waiting for the server's answer to the name
 * - `password`: the name belongs to an account; `detail.why` if a password was wrong
 * - `joined`: `detail.name` is the name as the server writes it
 * - `cut`: lost after it was joined; tries again at `detail.at` (milliseconds), `detail.taken` if the old connection
 *   still holds the name, or `detail.why` if the server refused for now
 * - `ended`: not retried until the user asks; `detail.closed` if the server closed, `detail.why` as the server words
 *   it, or `detail.unreachable` if the user asked and no server answered
 */
export class Connection {
  #open;
  #changed;
  #received;
  #clock;
  #socket = null;
  #timer = null;
  #name = "";
  /** Kept only in memory, for reconnecting after a cut. */
  #password = null;
  #wasJoined = false;
  #tries = 0;
  #taken = 0;
  #parting = null;
  /** The user reconnects by hand; meanwhile the page keeps the conversations on the screen. */
  #isAgain = false;

  /** `open()` creates a WebSocket. `clock` has `now`, `setTimeout`, `clearTimeout` and `random`; tests replace it. */
  constructor({ open, changed, received, clock }) {
    this.state = "idle";
    this.lastHeard = 0;
    this.#open = open;
    this.#changed = changed;
    this.#received = received;
    this.#clock = clock;
  }

  /** Connects under a name. */
  enter(name) {
    this.#forget();
    this.#name = name;
    this.#password = null;
    this.#isAgain = false;
    this.#tries = 0;
    this.#taken = 0;
    this.#connect();
  }

  /** Connects again under the last name. */
  again() {
    this.#forget();
    this.#isAgain = true;
    this.#tries = 0;
    this.#taken = 0;
    this.#connect();
  }

  /** Makes the next try after a cut at once. */
  hurry() {
    if (this.state === "cut") this.#connect();
  }

  givePassword(password) {
    if (this.state !== "password") return;
    this.#password = password;
    this.#set("entering");
    this.#sendPassword();
  }

  /** Closes the connection, at any stage, and forgets the name and password. */
  cancel() {
    this.#forget();
    this.#leave();
  }

  /** Gives up joining under this name. Unlike after `cancel`, the user has not left. */
  abandon() {
    this.#forget();
    this.#leave({});
  }

  /** Sends a message; false if the connection is not joined or has more than WAITING_BYTES unsent. */
  send(line) {
    const ready = this.state === "joined" && this.#socket?.readyState === 1;
    if (!ready || this.#socket.bufferedAmount > WAITING_BYTES) return false;
    this.#socket.send(line);
    return true;
  }

  /** Drops a connection that counts as dead; the page then reconnects. */
  drop() {
    if (this.state !== "joined") return;
    this.#forget();
    this.#lost();
  }

  #connect() {
    this.#forget();
    this.#parting = null;
    if (!this.#wasJoined) this.#set("entering");
    let socket;
    try {
      socket = this.#open();
    } catch {
      this.#lost();
      return;
    }
    this.#socket = socket;
    // Ignores events of a socket that was replaced.
    const current = (act) => (event) => this.#socket === socket && act(event);
    socket.onmessage = current((event) => this.#hear(event.data));
    socket.onclose = current((event) => this.#closed(event));
    this.#timer = this.#clock.setTimeout(() => {
      this.#forget();
      this.#lost();
    }, ENTER_MS);
  }

  #hear(frame) {
    this.lastHeard = this.#clock.now();
    const message = typeof frame === "string" ? parse(frame) : null;
    if (!message) return;
    const told = meaning(message);
    if (this.state === "joined") {
      if (told.is === "serverClosed" || told.is === "left") this.#parting = told;
      else this.#parting = told.is === "refusal" && told.operation === "error_message" ? told : null;
      this.#received(told);
      return;
    }
    this.#hearBeforeJoining(told);
  }

  #hearBeforeJoining(told) {
    switch (told.is) {
      case "askedName":
        this.#sendName();
        break;
      case "askedPassword":
        if (this.#password !== null && !this.#parting) {
          this.#sendPassword();
        } else {
          this.#stopTimer();
          const why = this.#parting?.why ?? null;
          this.#password = null;
          this.#wasJoined = false;
          this.#set("password", { name: told.name, why });
        }
        break;
      case "letIn":
        this.#stopTimer();
        this.#tries = 0;
        this.#taken = 0;
        this.#parting = null;
        this.#wasJoined = true;
        this.#name = told.name;
        this.#set("joined", { name: told.name });
        break;
      case "notLetIn":
      case "refusal":
      case "serverClosed":
        this.#parting = told;
        // After a wrong password, the server's next request for one shows this reason.
        break;
      default:
    }
  }

  #closed(event) {
    const parting = this.#parting;
    this.#forget();
    if (parting?.is === "serverClosed") {
      this.#end({ closed: true });
    } else if (parting?.is === "left") {
      this.#leave();
    } else if (parting?.is === "notLetIn") {
      this.#refused(parting.why);
    } else if (parting && event?.wasClean && this.state === "joined") {
      // The server gave a reason and closed in order, so reconnecting at once would not help.
      this.#end({ why: parting.why });
    } else {
      this.#lost();
    }
  }

  #leave(detail = { left: true }) {
    this.#wasJoined = false;
    this.#name = "";
    this.#password = null;
    this.#set("idle", detail);
  }

  #refused(why) {
    const isTaken = why.startsWith("This username is already taken");
    if (this.#wasJoined && isTaken && this.#taken < TAKEN_TRIES) {
      this.#taken += 1;
      this.#wait(true);
      return;
    }
    const isLater = /^(The server is full|Your address (has|may))/.test(why);
    if (this.#wasJoined && isLater) {
      this.#wait(false, why);
      return;
    }
    this.#wasJoined = false;
    this.#set("idle", { why });
  }

  #end(detail) {
    this.#wasJoined = false;
    this.#set("ended", detail);
  }

  #lost() {
    if (this.#wasJoined) this.#wait(false);
    else this.#set(this.#isAgain ? "ended" : "idle", { unreachable: true });
  }

  #wait(taken, why = null) {
    const pause = PAUSES[Math.min(this.#tries, PAUSES.length - 1)];
    this.#tries += 1;
    // Random, so that not all clients reconnect at the same time.
    const spread = pause * (0.75 + this.#clock.random() / 2);
    this.#timer = this.#clock.setTimeout(() => this.#connect(), spread);
    this.#set("cut", { at: this.#clock.now() + spread, taken, why });
  }

  #sendName() {
    const whole = write(this.#name, SERVER, "name", this.#name);
    // If the name contains `|`, or its message would exceed the limit, SENDER stays empty and DATA holds at most 200
    // characters of the name, so that the server refuses the name and not the message.
    const fits = bytes(whole) <= MESSAGE_BYTES && !this.#name.includes("|");
    this.#socket.send(fits ? whole : write("", SERVER, "name", this.#name.slice(0, 200)));
  }

  #sendPassword() {
    this.#parting = null;
    this.#socket?.send(write(this.#name, SERVER, "password", this.#password));
  }

  #stopTimer() {
    if (this.#timer !== null) this.#clock.clearTimeout(this.#timer);
    this.#timer = null;
  }

  #forget() {
    this.#stopTimer();
    const socket = this.#socket;
    this.#socket = null;
    if (socket && socket.readyState < 2) socket.close();
  }

  #set(state, detail = {}) {
    this.state = state;
    this.#changed(state, detail);
  }
}
