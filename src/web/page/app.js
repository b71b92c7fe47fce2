// The page: joins the connection, the room and the views. All state is in `Connection` and `Chat`; this shows it.

import { Announcer } from "./announcer.js";
import { Banner } from "./banner.js";
import { Chat } from "./chat.js";
import { CloseDialog } from "./close-dialog.js";
import { Commands } from "./commands.js";
import { Composer } from "./composer.js";
import { Connection } from "./connection.js";
import { byId, isComposing, nameNode, renew, setText } from "./dom.js";
import { Entrance } from "./entrance.js";
import { explain } from "./explain.js";
import { ListView } from "./list-view.js";
import { LATE_MS, Liveness } from "./liveness.js";
import { LogView } from "./log-view.js";
import { listEvery, listSoonest, rows } from "./people.js";
import { Player } from "./player.js";
import { watchPresses } from "./press.js";
import { fold } from "./protocol.js";
import { serverWords } from "./server-words.js";
import { harmless, isolated } from "./text.js";
import { WORDS, chooseLanguage, chooseLocale, languageTags, speaker } from "./words.js";

/** Leaving is not waited for longer, in milliseconds. */
const LEAVE_MS = 2_000;
/** How often it is looked whether the list is due, or the connection dead. */
const LOOK_MS = 500;

const tags = languageTags(navigator.languages?.length > 0 ? navigator.languages : [navigator.language]);
const language = chooseLanguage(tags);
const words = {
  language,
  locale: chooseLocale(tags, language),
  say: speaker(language),
  raw: (key) => WORDS[language][key],
};
const { say } = words;
/** Below this width one sees the list or the conversation, not both. */
const isNarrow = window.matchMedia("(max-width: 46rem)");

const clock = {
  now: () => Date.now(),
  setTimeout: (act, pause) => setTimeout(act, pause),
  clearTimeout: (timer) => clearTimeout(timer),
  random: () => Math.random(),
};

const room = byId("chat");
let wasCut = false;
let listedAt = 0;
let isDue = false;
let streamsAt = 0;
let drawing = null;
let leaving = null;

const connection = new Connection({
  open: () => {
    const address = new URL("tr2", location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    address.search = "";
    address.hash = "";
    return new WebSocket(address);
  },
  changed,
  received: (told) => {
    chat.receive(told);
    draw();
  },
  clock,
});
const chat = new Chat({ send: (line) => connection.send(line), now: clock.now, told });
const { conversations } = chat;
const entrance = new Entrance(connection, words);
const announcer = new Announcer(byId("announcements"), say);
const banner = new Banner(connection, words);
const liveness = new Liveness(connection, chat, banner);
const closing = new CloseDialog(chat, words);
const commands = new Commands(chat, say, { leave, close: () => closing.ask() });
const composer = new Composer(chat, words, {
  canSend: () => connection.state === "joined",
  commands: (action, conversation) => commands.run(action, conversation),
  sent: () => {
    setTimeout(look, LATE_MS);
    log.toEnd();
    draw();
  },
  resized: () => log.keepEnd(),
});
const log = new LogView(
  {
    scroller: byId("log"),
    entries: byId("entries"),
    pending: byId("pending"),
    empty: byId("empty"),
    latest: byId("latest"),
  },
  words,
  (text, to) => composer.editAgain(text, to),
  listen,
);
const player = new Player(words, listen);
const list = new ListView({ scroller: byId("people-scroll"), list: byId("people") }, words, (row) => {
  if (!room.hidden) open(row.name === "" ? conversations.everyone : conversations.with(row.name));
});

/** The connection is in another state. */
function changed(state, detail) {
  clearTimeout(leaving);
  switch (state) {
    case "idle":
      settleLeft();
      player.stop();
      room.hidden = true;
      banner.hide();
      if (detail.left) forget();
      entrance.askName(detail);
      if (detail.unreachable) explainLater();
      wasCut = false;
      break;
    case "entering":
      if (entrance.isShown) entrance.wait();
      else banner.entering();
      break;
    case "password":
      room.hidden = true;
      entrance.askPassword(detail);
      break;
    case "joined":
      joined(detail.name);
      break;
    case "cut":
      settleLeft();
      wasCut = true;
      banner.cut(chat.me, detail);
      break;
    case "ended":
      settleLeft();
      wasCut = true;
      if (entrance.isShown) entrance.askName(detail.closed ? { unreachable: true } : detail);
      else banner.ended(detail);
      break;
    default:
  }
  draw();
}

/** Says why no WebSocket was opened, as soon as the server says so. */
async function explainLater() {
  const why = await explain();
  if (why !== null && connection.state === "idle" && entrance.isShown) entrance.askName({ why });
}

/** Forgets all of a user who has left, on the screen too: whoever enters next at this page begins empty. */
function forget() {
  chat.forget();
  commands.forget();
  announcer.forget();
  player.stop();
  player.update(chat.streams);
  entrance.forget();
  composer.forget();
  list.forget();
  renew(byId("search"));
  setText(byId("nobody"), "");
  setText(byId("back-unread"), "");
  setText(byId("subtitle"), "");
  byId("title").replaceChildren();
  byId("me").firstElementChild.textContent = "";
  wasCut = false;
  show(conversations.everyone);
  drawNow();
}

function settleLeft() {
  chat.left();
  player.update(chat.streams);
  closing.close();
}

function joined(name) {
  if (chat.me !== null && chat.me !== name) forget();
  chat.entered(name);
  chat.askLimits();
  const isBack = wasCut;
  wasCut = false;
  listedAt = 0;
  isDue = true;
  streamsAt = 0;
  banner.hide();
  room.hidden = false;
  if (entrance.isShown) {
    entrance.hide();
    open(conversations.current);
    composer.focus();
  }
  if (isBack) {
    conversations.append(conversations.everyone, {
      kind: "note",
      by: "",
      mine: false,
      text: "cameBack",
      name,
      at: clock.now(),
      to: "me",
      state: null,
    });
  }
  look();
}

/** Whether a conversation is on the screen before somebody's eyes. */
function isRead(conversation) {
  const isOpen = conversation === conversations.current && !room.hidden;
  return isOpen && !document.hidden && !(isNarrow.matches && room.dataset.pane === "list");
}

/** Something happened in the room. */
function told(what, conversation, entry, isQuiet = false) {
  if (what === "close") {
    closing.refused(entry.why);
  } else if (what === "changed") {
    if (entry.seq === undefined) draw();
    else log.changed(entry);
  } else if (what === "unknown") {
    isDue = true;
  } else if (what === "plays") {
    player.play(entry);
    streamsAt = 0;
  } else if (what === "streams") {
    streamsAt = 0;
  } else if (what === "listed") {
    player.update(chat.streams);
    commands.listed(what);
  } else if (what === "people") {
    commands.listed(what);
  } else if (!isQuiet && !entry.mine && entry.kind !== "note") {
    if (!isRead(conversation)) conversation.unread += 1;
    announce(conversation, entry);
  }
}

/** Asks somebody to play a file, or to hear what is played. */
function listen(name, file) {
  if (connection.state === "joined") chat.askPlay(name, file);
  draw();
}

function announce(conversation, entry) {
  const isError = entry.kind === "error" || entry.kind === "server";
  const name = isError ? say("serverSays") : isolated(entry.by);
  if (conversation === conversations.current) {
    const text = isError ? serverWords(entry.text, language).text : entry.text;
    announcer.announce(say("says", { name, text: harmless(text) }));
  } else {
    announcer.announce(say("newFrom", { name }));
  }
}

/** Opens a conversation. */
function open(conversation) {
  show(conversation);
  drawNow();
  // On a phone the keyboard would cover what one came to read.
  if (isNarrow.matches) byId("title").focus({ preventScroll: true });
  else composer.focus();
}

function show(conversation) {
  conversations.current.newFrom = null;
  conversations.current = conversation;
  room.dataset.pane = "talk";
  conversation.read();
  const label = conversation.isEveryone ? say("messageAll") : say("messageTo", { name: isolated(conversation.name) });
  composer.show(conversation, label);
  const logLabel = conversation.isEveryone ? say("logAll") : say("log", { name: isolated(conversation.name) });
  byId("log").setAttribute("aria-label", logLabel);
  log.show(conversation);
}

/** Draws what has changed, once for all that comes together. */
function draw() {
  if (drawing !== null) return;
  // Where nobody looks nothing is painted, but the window's title still has to tell.
  if (document.hidden) drawing = setTimeout(drawNow, 200);
  else drawing = requestAnimationFrame(drawNow);
}

function drawNow() {
  drawing = null;
  const { current } = conversations;
  if (current.unread > 0 && isRead(current)) current.unread = 0;
  // No name of a person's can look like the room's: that stands without the sign.
  const place = current.isEveryone ? say("everyone") : `@${isolated(current.name)}`;
  const count = conversations.unread;
  document.title = room.hidden ? "Arauto" : `${count > 0 ? `(${count}) ` : ""}${place} · Arauto`;
  if (room.hidden) return;
  heading(current);
  log.update();
  const found = listed();
  list.update(found, current.key);
  setText(byId("nobody"), found.length === 0 ? say("nobody") : "");
  const elsewhere = conversations.unread - current.unread;
  setText(byId("back-unread"), elsewhere > 0 ? String(elsewhere) : "");
  const unreadWords = elsewhere === 1 ? say("unreadOne") : say("unreadMany", { count: elsewhere });
  byId("back").setAttribute("aria-label", elsewhere > 0 ? `${say("back")}, ${unreadWords}` : say("back"));
  byId("me").firstElementChild.textContent = harmless(chat.me ?? "");
  room.classList.toggle("offline", connection.state !== "joined");
}

function listed() {
  return rows(chat.people, conversations, chat.me, byId("search").value);
}

function heading(current) {
  const title = byId("title");
  const name = current.isEveryone ? say("everyone") : harmless(current.name);
  title.classList.toggle("everyone", current.isEveryone);
  if (title.textContent !== name) title.replaceChildren(current.isEveryone ? name : nameNode(current.name));
  const mine = chat.isMe(current.key);
  byId("files").hidden = current.isEveryone || mine;
  let state = say(chat.people.has(current.key) ? "isHere" : "away");
  if (mine) state = say("selfNote");
  if (current.isEveryone) {
    const { size } = chat.people;
    state = size > 1 ? say("hereMany", { count: size.toLocaleString(words.locale) }) : say("hereOne");
  }
  if (!current.isEveryone && !mine) state = say("private", { state });
  setText(byId("subtitle"), connection.state === "joined" ? state : "");
}

/** Looks whether the list is due, and whether the connection still lives. */
function look() {
  if (connection.state !== "joined") return;
  const now = clock.now();
  if (!liveness.check(now, !document.hidden)) return;
  const { size } = chat.people;
  // Whoever hears something sees how many do.
  if (!document.hidden && now - streamsAt >= listEvery(size) / (player.isShown ? 2 : 1)) {
    streamsAt = now;
    chat.askStreams();
  }
  const pause = isDue ? listSoonest(size) : listEvery(size);
  if (document.hidden && !isDue) return;
  if (now - listedAt < pause) return;
  listedAt = now;
  isDue = false;
  chat.askPeople();
}

function leave() {
  if (chat.leave()) leaving = setTimeout(() => connection.cancel(), LEAVE_MS);
  else connection.cancel();
}

function showList() {
  room.dataset.pane = "list";
  drawNow();
  list.focus();
}

watchPresses(document);
document.documentElement.lang = language === "pt" ? "pt-BR" : "en";
for (const node of document.querySelectorAll("[data-word]")) node.textContent = say(node.dataset.word);
byId("people").setAttribute("aria-label", say("people"));
byId("side").setAttribute("aria-label", say("people"));
byId("player").setAttribute("aria-label", say("sound"));
byId("audio").setAttribute("aria-label", say("sound"));
for (const attribute of ["placeholder", "aria-label"]) byId("search").setAttribute(attribute, say("search"));

const search = document.querySelector(".search");
search.addEventListener("input", () => {
  byId("people-scroll").scrollTop = 0;
  list.found(listed(), conversations.current.key, fold(byId("search").value) !== "");
  drawNow();
});
search.addEventListener("keydown", (event) => {
  if (isComposing(event)) return;
  if (event.key === "Enter") list.chooseFound();
  else if (event.key === "ArrowDown") list.focus();
  else return;
  event.preventDefault();
});
byId("back").addEventListener("click", showList);
byId("files").addEventListener("click", () => {
  if (connection.state === "joined") chat.askFiles(conversations.current);
  drawNow();
});
byId("leave").addEventListener("click", leave);
byId("close").addEventListener("click", () => closing.ask());
document.addEventListener("keydown", (event) => {
  if (isComposing(event)) return;
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k" && !room.hidden) {
    event.preventDefault();
    room.dataset.pane = isNarrow.matches ? "list" : room.dataset.pane;
    byId("search").focus();
  } else if (event.key === "Escape" && byId("talk").contains(event.target)) {
    showList();
  }
});
document.addEventListener("visibilitychange", () => {
  const { current } = conversations;
  // The line above what is new is drawn into a row that may be there already.
  if (isRead(current) && current.read()) log.changed(current.at(current.newFrom));
  isDue ||= !document.hidden;
  look();
  draw();
});
window.addEventListener("focus", () => {
  isDue = true;
  look();
});
// Gone to another page and kept for coming back to: that may be somebody else.
window.addEventListener("pagehide", ({ persisted }) => {
  if (persisted) connection.cancel();
});
window.addEventListener("online", () => connection.hurry());
isNarrow.addEventListener("change", () => draw());
setInterval(look, LOOK_MS);
entrance.askName();
