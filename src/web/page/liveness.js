// Finds out whether the server still answers: shows what is late, says that nothing is heard, and gives up a connection
// that is dead.

/** What was sent is shown to be under way when its answer takes longer, in milliseconds. */
export const LATE_MS = 1_000;
/** After so many milliseconds in which nothing was heard the server is asked whether it answers. */
const PROBE_MS = 4_500;
/** An answer that takes so many milliseconds, while nothing else is heard, is said to be missing. */
const SILENT_MS = 4_000;
/** And after so many the connection is dead. With a probe before, this is less than 20 s. */
const DEAD_MS = 14_000;
/** Checks that are further apart say that the page itself was not running. */
const ASLEEP_MS = 3_000;

export class Liveness {
  #connection;
  #chat;
  #banner;
  #checkedAt = 0;
  #awakeAt = 0;

  constructor(connection, chat, banner) {
    this.#connection = connection;
    this.#chat = chat;
    this.#banner = banner;
  }

  /** To be called twice a second. False if the connection was given up. */
  check(now, isSeen) {
    if (now - this.#checkedAt > ASLEEP_MS) this.#awakeAt = now;
    this.#checkedAt = now;
    const chat = this.#chat;
    const isLate = chat.markLate(now - LATE_MS);
    const heardAt = Math.max(this.#connection.lastHeard, this.#awakeAt);
    const { askedAt } = chat;
    const silence = askedAt === null ? 0 : now - Math.max(askedAt, heardAt);
    if (silence > DEAD_MS) {
      this.#connection.drop();
      return false;
    }
    if (silence >= SILENT_MS) this.#banner.silent(silence);
    else if (this.#banner.isSilent) this.#banner.hide();
    if (askedAt === null && (isLate || (isSeen && now - heardAt >= PROBE_MS))) chat.probe();
    return true;
  }
}
