// Finds out whether the server still answers: marks late messages, shows that nothing arrives, and drops a dead
// connection.

/** Time in milliseconds after which a message without an answer is marked as still being sent. */
export const LATE_MS = 1_000;
/** Silence in milliseconds after which the page sends a probe. */
const PROBE_MS = 4_500;
/** Time in milliseconds without an answer or any other message after which the banner says so. */
const SILENT_MS = 4_000;
/** Time in milliseconds, counted likewise, after which the connection counts as dead. With PROBE_MS, below 20 s. */
const DEAD_MS = 14_000;
/** Time in milliseconds between two checks above which the page itself was suspended. */
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

  /** Checks the connection; the page calls this twice a second. False if the connection was dropped. */
  check(now, isSeen) {
    if (now - this.#checkedAt > ASLEEP_MS) this.#awakeAt = now;
    this.#checkedAt = now;
    const chat = this.#chat;
    const isLate = chat.deliveries.markLate(now - LATE_MS);
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
