// Carries out the short forms that the user types (short-forms.js), and notes where their results appear.

/** Maximum number of names or streams in an answer. */
const LISTED = 200;

export class Commands {
  #chat;
  #say;
  #leave;
  #close;
  /** The conversations in which the user requested a list, by the kind of list. */
  #waiting = { people: new Set(), listed: new Set() };

  /** `leave()` and `close()` do the same as the page's buttons. */
  constructor(chat, say, { leave, close }) {
    this.#chat = chat;
    this.#say = say;
    this.#leave = leave;
    this.#close = close;
  }

  /** Carries out { operation, to, data }, typed into the conversation `current`; false if it cannot be sent now. */
  run(action, current) {
    const chat = this.#chat;
    const { operation, to, data } = action;
    switch (operation) {
      case "broadcast":
      case "broadcast_not_me":
        return this.#shown(chat.conversations.everyone, current, "sentAll", (conversation) =>
          chat.say(conversation, data, operation === "broadcast_not_me"),
        );
      case "echo":
        return this.#shown(chat.named(chat.me), current, "sentTo", (conversation) => chat.say(conversation, data));
      case "private_message":
        return this.#shown(chat.named(to), current, "sentTo", (conversation) => chat.say(conversation, data));
      case "list_files":
        if (to === "") return chat.ask(action, current);
        return this.#shown(chat.named(to), current, "sentTo", (conversation) => chat.askFiles(conversation));
      case "play":
        return this.#shown(chat.named(to), current, "sentTo", ({ name }) => chat.askPlay(name, data));
      case "list_clients":
      case "watch":
        return this.#list("people", current, chat.askPeople());
      case "list_streams":
        return this.#list("listed", current, chat.askStreams());
      case "exit":
        this.#leave();
        return true;
      case "close_server":
        this.#close();
        return true;
      default:
        return chat.ask(action, current);
    }
  }

  /** Shows a list that has arrived, of `people` or of streams (`listed`), wherever the user requested it. */
  listed(what) {
    const chat = this.#chat;
    const waiting = this.#waiting[what] ?? new Set();
    for (const conversation of waiting) {
      if (what === "people") {
        const names = chat.people.sorted().map(([, name]) => name);
        chat.note(conversation, "peopleAre", { count: names.length, why: this.#text(names) });
      } else if (chat.streams.on.length > 0) {
        chat.note(conversation, "streamsAre", { why: this.#text(chat.streams.on.map(({ title }) => title)) });
      } else {
        chat.note(conversation, "streamsNone");
      }
    }
    waiting.clear();
  }

  /** Forgets all requests for lists. */
  forget() {
    for (const waiting of Object.values(this.#waiting)) waiting.clear();
  }

  #list(what, current, isAsked) {
    if (isAsked) this.#waiting[what].add(current);
    return isAsked;
  }

  #text(all) {
    const more = all.length > LISTED ? ` ${this.#say("peopleMore", { count: all.length - LISTED })}` : "";
    return all.slice(0, LISTED).join(", ") + more;
  }

  /** Runs `act` on a conversation, and writes a note into `current` if that is another conversation. */
  #shown(conversation, current, note, act) {
    if (!act(conversation)) return false;
    if (conversation !== current) this.#chat.note(current, note, { name: conversation.name });
    return true;
  }
}
