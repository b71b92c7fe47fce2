// Classifies received messages. No DOM, no network.

import { NO_DATA, SERVER } from "./protocol.js";
import { offer, stream } from "./streams.js";

const LIST = /^clients connected(?:, (?<first>\d+) to (?<last>\d+) of (?<of>\d+))?: (?<names>.*)$/su;
const BETWEEN = " , ";
const LIMIT = /(?:^| )message_bytes=(\d{1,9})(?: |$)/;
const CANNOT = "cannot:";
const NOT_FOUND = /^Destination client \((.*)\) not found!$/s;
/** Operations in which a text of the server that is not recognized otherwise is a refusal. */
const REFUSALS = new Set(["error_message", "Unknown_operation", "private_message", "list_files"]);

/** The meaning of a message: { is, ... }, with fields that depend on `is`. `is` is said, echo, people, came, departed,
 * filesWanted, files, soundWanted, plays, cannotPlay, notPlayed, streams, streamEnded, limits, notFound, refusal,
 * notLetIn, left, serverClosed, askedName, askedPassword, letIn, serverSays or other. */
export function meaning({ sender, destination, operation, data }) {
  if (sender === SERVER) return ofTheServer(destination, operation, data);
  switch (operation) {
    case "broadcast":
      return { is: "said", by: sender, to: "all", text: data };
    case "broadcast_not_me":
      return { is: "said", by: sender, to: "others", text: data };
    case "private_message":
      return { is: "said", by: sender, to: "me", text: data };
    case "echo":
      return { is: "echo", text: data };
    case "list_files":
      return data === NO_DATA ? { is: "filesWanted", by: sender } : { is: "files", of: sender, text: data };
    case "publish":
      return { is: "soundWanted", by: sender };
    case "play":
      return played(sender, data);
    default:
      return { is: "other", by: sender, operation, text: data };
  }
}

/** Whether the numbers of a list, if it has some, can be the place of its names. */
function isPlace({ first, last, of }) {
  return first === undefined || (Number(first) >= 1 && Number(first) <= Number(last) && Number(last) <= Number(of));
}

/** The place of names in a list that comes in several messages; null if the server does not number them. */
function place({ first, last, of }) {
  return first === undefined ? null : { first: Number(first), last: Number(last), of: Number(of) };
}

function played(by, data) {
  if (data.startsWith(CANNOT)) return { is: "cannotPlay", by, why: data.slice(CANNOT.length).trim() };
  const found = offer(data);
  return found ? { is: "plays", by, ...found } : { is: "other", by, operation: "play", text: data };
}

function ofTheServer(destination, operation, data) {
  switch (operation) {
    case "name":
      return { is: "askedName" };
    case "password":
      return { is: "askedPassword", name: destination };
    case "connection_confirmation":
      return { is: "letIn", name: destination };
    case "connection_error":
      return { is: "notLetIn", why: data };
    case "exit":
      return { is: "left" };
    case "broadcast":
      if (data === "server closed") return { is: "serverClosed" };
      break;
    case "watch": {
      const list = LIST.exec(data)?.groups;
      if (list && isPlace(list)) return { is: "people", names: list.names.split(BETWEEN), place: place(list) };
      break;
    }
    case "joined":
      return { is: "came", names: data.split(BETWEEN) };
    case "left":
      return { is: "departed", names: data.split(BETWEEN) };
    case "list_streams":
      if (data === "no streams") return { is: "streams", found: null };
      if (stream(data)) return { is: "streams", found: stream(data) };
      break;
    case "limits": {
      const most = LIMIT.exec(data);
      if (most) return { is: "limits", bytes: Number(most[1]), text: data };
      break;
    }
    case "stop":
      return { is: "streamEnded", text: data };
    default:
  }
  const missing = data.match(NOT_FOUND);
  if (missing) return { is: "notFound", operation, name: missing[1], why: data };
  if (operation === "play") return { is: "notPlayed", why: data };
  if (REFUSALS.has(operation)) return { is: "refusal", operation, why: data };
  return { is: "serverSays", operation, text: data };
}
