// The way to the server: opening a WebSocket, giving a name, and coming back after a cut. No page.

import { MESSAGE_BYTES, SERVER, bytes, parse, write } from "./protocol.js";
import { meaning } from "./meaning.js";

/** The pauses before the first tries after a cut, in milliseconds; the last one is for all further tries. */
export const PAUSES = [500, 1_000, 2_000, 4_000, 8_000, 15_000, 30_000];
/** How often the old connection may still hold the name before the person is asked for another. */
export const TAKEN_TRIES = 6;
/** A connection that has not come so far as a name within this many milliseconds is given up. */
export const ENTER_MS = 20_000;
/** The most bytes that may wait in the browser to be sent. */
export const WAITING_BYTES = 256 * 1024;

/**
 * States, as told to `changed(state, detail)`:
 * - `idle`: nobody wants to be connected; `detail.left` if that was asked for, `detail.why` if a name was refused,
 *   `detail.unreachable` if no server answered
 * - `entering`: opening, or waiting for the server's answer to the name
 * - `password`: the name belongs to an account; `detail.why` if a password was wrong
 * - `joined`: `detail.name` is the name as the server writes it
 * - `cut`: after having been joined; tries again at `detail.at` (milliseconds), `detail.taken` if the name is still
 *   held
 * - `ended`: for good, until somebody asks; `detail.closed` if the server closed, `detail.why` in its words, or
 *   `detail.unreachable` if it was asked for and no server answered
 */
export class Connection {
  #open;
  #changed;
  #received;
  #clock;
  #socket = null;
  #timer = null;
  #name = "";
  /** Kept for coming back after a cut, and nowhere else. */
  #password = null;
  #wasJoined = false;
  #tries = 0;
  #taken = 0;
  #parting = null;
  /** Somebody who was here before tries by hand to come back, and keeps what was said before his eyes. */
  #isAgain = false;

  /** `open()` makes a WebSocket; `clock` is for tests: `now`, `setTimeout`, `clearTimeout`, `random`. */
  constructor({ open, changed, received, clock }) {
    this.state = "idle";
    this.lastHeard = 0;
    this.#open = open;
    this.#changed = changed;
    this.#received = received;
    this.#clock = clock;
  }

  /** Tries to enter under a name. */
  enter(name) {
    this.#forget();
    this.#name = name;
    this.#password = null;
    this.#isAgain = false;
    this.#tries = 0;
    this.#taken = 0;
    this.#connect();
  }

  /** Enters again under the name that was given last. */
  again() {
    this.#forget();
    this.#isAgain = true;
    this.#tries = 0;
    this.#taken = 0;
    this.#connect();
  }

  /** Does at once what would be tried later. */
  hurry() {
    if (this.state === "cut") this.#connect();
  }

  givePassword(password) {
    if (this.state !== "password") return;
    this.#password = password;
    this.#set("entering");
    this.#sendPassword();
  }

  /** Gives up entering, or being here: nothing is kept for coming back. */
  cancel() {
    this.#forget();
    this.#leave();
  }

  /** Sends one message; false if there is no connection that takes it now. */
  send(line) {
    const ready = this.state === "joined" && this.#socket?.readyState === 1;
    if (!ready || this.#socket.bufferedAmount > WAITING_BYTES) return false;
    this.#socket.send(line);
    return true;
  }

  /** Gives up a connection from which nothing is heard any more. */
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
    // What an abandoned socket still says is nobody's concern.
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
        // A wrong password: the next request for one shows why.
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
      // The server said why, and then closed in order: it does not want to see us again at once.
      this.#end({ why: parting.why });
    } else {
      this.#lost();
    }
  }

  #leave() {
    this.#wasJoined = false;
    this.#name = "";
    this.#password = null;
    this.#set("idle", { left: true });
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
    // So that not everybody comes back in the same moment.
    const spread = pause * (0.75 + this.#clock.random() / 2);
    this.#timer = this.#clock.setTimeout(() => this.#connect(), spread);
    this.#set("cut", { at: this.#clock.now() + spread, taken, why });
  }

  #sendName() {
    const whole = write(this.#name, SERVER, "name", this.#name);
    // A name so long that its message would pass the limit is given once, so that the server says what a name is.
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
