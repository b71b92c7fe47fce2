// Entry point of the page: connects `Connection` and `Chat`, which hold all state, with the views that show it.

import { Announcer } from "./announcer.js";
import { Banner } from "./banner.js";
import { Chat } from "./chat.js";
import { CloseDialog } from "./close-dialog.js";
import { Commands } from "./commands.js";
import { Composer } from "./composer.js";
import { Connection } from "./connection.js";
import { byId, isComposing, isTyping, nameNode, setText } from "./dom.js";
import { Entrance } from "./entrance.js";
import { explain } from "./explain.js";
import { ListView } from "./list-view.js";
import { LATE_MS, Liveness } from "./liveness.js";
import { LogView } from "./log-view.js";
import { rows } from "./people.js";
import { Player } from "./player.js";
import { watchPresses } from "./press.js";
import { Search } from "./search.js";
import { serverWords } from "./server-words.js";
import { streamsEvery } from "./streams.js";
import { harmless, isolated } from "./text.js";
import { WORDS, chooseLanguage, chooseLocale, languageTags, speaker } from "./words.js";

/** Time in milliseconds to wait for the answer to `exit` before the page closes the connection itself. */
const LEAVE_MS = 2_000;
/** Interval in milliseconds at which the page checks whether the list of streams is due and the connection is alive. */
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
/** Up to this width, the page shows either the list or the conversation, not both. */
const isNarrow = window.matchMedia("(max-width: 46rem)");

const clock = {
  now: () => Date.now(),
  setTimeout: (act, pause) => setTimeout(act, pause),
  clearTimeout: (timer) => clearTimeout(timer),
  random: () => Math.random(),
};

const room = byId("chat");
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
const entrance = new Entrance(connection, words, () => chat.me);
const announcer = new Announcer(byId("announcements"), say);
const banner = new Banner(connection, words, focusTalk);
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
const player = new Player(words, chat.streams, { ask: listen, refocus: focusTalk });
const list = new ListView({ scroller: byId("people-scroll"), list: byId("people") }, words, (row) => {
  if (room.hidden) return;
  search.clear();
  open(row.name === "" ? conversations.everyone : conversations.with(row.name));
});
const search = new Search(list, say, {
  rows: (text) => rows(chat.people, conversations, chat.me, text),
  current: () => conversations.current.key,
});

/** Handles a change of the connection's state. */
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
      banner.cut(chat.me, detail);
      break;
    case "ended":
      settleLeft();
      if (entrance.isShown) entrance.askName(detail.closed ? { unreachable: true } : detail);
      else banner.ended(detail);
      break;
    default:
  }
  draw();
}

/** Asks the server why no WebSocket was opened, and shows the reason if the user has not tried again meanwhile. */
async function explainLater() {
  const why = await explain();
  if (why !== null && connection.state === "idle" && entrance.isShown) entrance.askName({ why });
}

/** Clears all data of a user who has left, also from the screen, so that the next user of this page sees none of it. */
function forget() {
  chat.forget();
  commands.forget();
  announcer.forget();
  player.stop();
  player.update();
  entrance.forget();
  composer.forget();
  list.forget();
  search.forget();
  setText(byId("back-unread"), "");
  setText(byId("subtitle"), "");
  byId("title").replaceChildren();
  byId("me").firstElementChild.textContent = "";
  show(conversations.everyone);
  drawNow();
}

function settleLeft() {
  chat.left();
  player.update();
  closing.close();
}

function joined(name) {
  if (chat.entered(name)) commands.forget();
  chat.askLimits();
  chat.askPeople();
  streamsAt = 0;
  banner.hide();
  composer.connected();
  room.hidden = false;
  if (entrance.isShown) {
    entrance.hide();
    open(conversations.current);
    composer.focus();
  }
  look();
}

/** Whether a conversation is open and visible on the screen. */
function isRead(conversation) {
  const isOpen = conversation === conversations.current && !room.hidden;
  return isOpen && !document.hidden && !(isNarrow.matches && room.dataset.pane === "list");
}

/** Handles an event of `Chat`. */
function told(what, conversation, entry, isQuiet = false) {
  if (what === "close") {
    closing.refused(entry.why);
  } else if (what === "changed") {
    if (entry.seq === undefined) draw();
    else log.changed(entry);
  } else if (what === "plays") {
    player.play(entry);
    streamsAt = 0;
  } else if (what === "streams") {
    player.ended(entry.ended);
    streamsAt = 0;
  } else if (what === "listed") {
    player.update();
    commands.listed(what);
  } else if (what === "people") {
    commands.listed(what);
  } else if (!isQuiet && !entry.mine && entry.kind !== "note") {
    if (!isRead(conversation)) conversation.addUnread(entry);
    announce(conversation, entry);
  }
}

/**
 * Requests a file of a client, or a stream that is already on; the page plays it when the address arrives. A file that
 * plays is not requested again.
 */
function listen(name, file) {
  if (connection.state === "joined" && !player.isPlaying(name, file)) chat.askPlay(name, file);
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
  focusTalk();
}

/** Moves the focus to the composer. On a phone, that would open a keyboard, which covers the messages. */
function focusTalk() {
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

/** Schedules a redraw; changes until then share it. */
function draw() {
  if (drawing !== null) return;
  // Browsers run no animation frames for a hidden page, but its title still has to show the unread count.
  if (document.hidden) drawing = setTimeout(drawNow, 200);
  else drawing = requestAnimationFrame(drawNow);
}

function drawNow() {
  drawing = null;
  const { current } = conversations;
  if (current.unread > 0 && isRead(current)) current.unread = 0;
  // The `@` keeps a person's name from looking like the title of the conversation with everyone.
  const place = current.isEveryone ? say("everyone") : `@${isolated(current.name)}`;
  const count = conversations.unread;
  document.title = room.hidden ? "Arauto" : `${count > 0 ? `(${count}) ` : ""}${place} · Arauto`;
  if (room.hidden) return;
  heading(current);
  log.update();
  search.update();
  const elsewhere = conversations.unread - current.unread;
  setText(byId("back-unread"), elsewhere > 0 ? String(elsewhere) : "");
  const unreadWords = elsewhere === 1 ? say("unreadOne") : say("unreadMany", { count: elsewhere });
  byId("back").setAttribute("aria-label", elsewhere > 0 ? `${say("back")}, ${unreadWords}` : say("back"));
  byId("me").firstElementChild.textContent = harmless(chat.me ?? "");
  room.classList.toggle("offline", connection.state !== "joined");
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

/** Checks whether the connection is alive, and requests the list of streams if it is due. */
function look() {
  if (connection.state !== "joined") return;
  const now = clock.now();
  if (!liveness.check(now, !document.hidden)) return;
  if (document.hidden || now - streamsAt < streamsEvery(chat.people.size, player.isShown)) return;
  streamsAt = now;
  chat.askStreams();
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
    search.focus();
  } else if (event.key === "Escape" && byId("talk").contains(event.target)) {
    showList();
  } else if (isTyping(event) && (event.target === document.body || byId("talk").contains(event.target))) {
    // Text that is typed after a click on a button belongs to the message; Space and Enter would press the button.
    composer.focus();
  }
});
document.addEventListener("visibilitychange", () => {
  const { current } = conversations;
  // The divider above the first unread entry belongs to that entry's row, which may have been drawn before.
  if (isRead(current) && current.read()) log.changed(current.at(current.newFrom));
  look();
  draw();
});
window.addEventListener("focus", look);
// The browser keeps this page in its back/forward cache, where the next user could return to it.
window.addEventListener("pagehide", ({ persisted }) => {
  if (persisted) connection.cancel();
});
window.addEventListener("online", () => connection.hurry());
isNarrow.addEventListener("change", () => draw());
setInterval(look, LOOK_MS);
entrance.askName();
