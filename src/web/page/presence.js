// What a received message says about who is connected. No DOM, no network.

/** Texts of the server about a client that has left, by operation (docs/protocol.md, "Streams" and "Operators"). */
const LEFT = {
  stop: /^(?<name>.+): .* ended: \k<name> has left$/su,
  play: /^(?<name>.+): .* does not play: \k<name> has left$/su,
  kick: /^(?<name>.+) was disconnected$/su,
  ban: /^(?<name>.+) is banned (?:until|for good) .*\([1-9]\d* sessions? ended\); that is a name/su,
};

/** The name of a person who has just sent something (`here`) or has left (`gone`); null if the message names none. */
export function presence(told) {
  switch (told.is) {
    case "said":
    case "filesWanted":
    case "soundWanted":
    case "plays":
    case "cannotPlay":
    case "other":
      return { here: told.by, gone: null };
    case "files":
      return { here: told.of, gone: null };
    case "notFound":
      return { here: null, gone: told.name };
    case "streamEnded":
      return { here: null, gone: named("stop", told.text) };
    case "notPlayed":
      return { here: null, gone: named("play", told.why) };
    case "serverSays":
      return { here: null, gone: named(told.operation, told.text) };
    default:
      return { here: null, gone: null };
  }
}

function named(operation, text) {
  return Object.hasOwn(LEFT, operation) ? (LEFT[operation].exec(text)?.groups.name ?? null) : null;
}
