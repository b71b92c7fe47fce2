// Tests the page's modules that need neither a DOM nor a server, except the connection.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Chat } from "../../src/web/page/chat.js";
import { CONVERSATIONS, Conversations, ENTRIES, ENTRIES_IN_ALL } from "../../src/web/page/conversations.js";
import { addPart, listing, part, size } from "../../src/web/page/files.js";
import { meaning } from "../../src/web/page/meaning.js";
import { Outstanding, REMEMBERED } from "../../src/web/page/outstanding.js";
import { People, rows } from "../../src/web/page/people.js";
import { bytes, fold, forbidden, lines, parse, write } from "../../src/web/page/protocol.js";
import { serverWords } from "../../src/web/page/server-words.js";
import { Streams } from "../../src/web/page/streams.js";
import { harmless, pieces } from "../../src/web/page/text.js";
import { WORDS, chooseLanguage, gaps, speaker } from "../../src/web/page/words.js";

test("a message is read as the server writes it, and patiently", () => {
  const whole = { sender: "bob", destination: "alan", operation: "private_message", data: "see you | soon" };
  assert.deepEqual(parse("bob | alan | private_message | see you | soon"), whole);
  assert.deepEqual(parse("bob|alan|private_message|see you | soon"), whole);
  assert.equal(parse("bob | alan | echo |   two more").data, "  two more");
  assert.equal(parse("bob | alan | echo"), null);
  assert.equal(write("a", "server", "list_clients"), "a | server | list_clients | no data");
});

test("bytes, control characters and lines", () => {
  assert.equal(bytes("é€😀"), 2 + 3 + 4);
  assert.equal(forbidden("a\tb é 😀 \u202e"), null);
  assert.deepEqual(forbidden("😀\u001b"), { place: 2, code: 0x1b });
  assert.deepEqual(forbidden("\u0085"), { place: 1, code: 0x85 });
  assert.deepEqual(lines("one\r\n\n  \ntwo\u2028three"), ["one", "two", "three"]);
  assert.equal(fold(" Ａna  Maria "), "ana maria");
});

const KEY = "00112233445566778899aabbccddeeff";

test("each message has its meaning", () => {
  for (const [line, expected] of [
    ["bob | all clients | broadcast | hi", { is: "said", by: "bob", to: "all", text: "hi" }],
    ["bob | all clients | broadcast | server closed", { is: "said", by: "bob", to: "all", text: "server closed" }],
    ["bob | all clients | broadcast_not_me | hi", { is: "said", by: "bob", to: "others", text: "hi" }],
    ["server | all clients | broadcast | server closed", { is: "serverClosed" }],
    ["server | alan | watch | clients connected: a , b c", { is: "people", names: ["a", "b c"], place: null }],
    [
      "server | alan | watch | clients connected, 3 to 4 of 12: a , b: c",
      { is: "people", names: ["a", "b: c"], place: { first: 3, last: 4, of: 12 } },
    ],
    [
      "server | alan | watch | clients connected, 9 to 8 of 1: x",
      { is: "serverSays", operation: "watch", text: "clients connected, 9 to 8 of 1: x" },
    ],
    ["server | all clients | joined | a , b c", { is: "came", names: ["a", "b c"] }],
    ["server | all clients | left | a", { is: "departed", names: ["a"] }],
    ["bob | alan | list_files | no data", { is: "filesWanted", by: "bob" }],
    ["bob | alan | list_files | a.txt", { is: "files", of: "bob", text: "a.txt" }],
    [
      "server | alan | private_message | Destination client (x) not found!",
      { is: "notFound", operation: "private_message", name: "x", why: "Destination client (x) not found!" },
    ],
    [
      "server | alan | limits | message_bytes=8192 name_bytes=489 name_chars=32",
      { is: "limits", bytes: 8192, text: "message_bytes=8192 name_bytes=489 name_chars=32" },
    ],
    ["server | alan | limits | x", { is: "serverSays", operation: "limits", text: "x" }],
    ["server | alan | error_message | no", { is: "refusal", operation: "error_message", why: "no" }],
    ["server | new_client: alan | connection_error | no", { is: "notLetIn", why: "no" }],
    ["server | alan | exit | client disconnected", { is: "left" }],
    [
      "server | alan | kick | bob was disconnected",
      { is: "serverSays", operation: "kick", text: "bob was disconnected" },
    ],
    ["bob | alan | publish | rtsp://h:1/7f3a?key=0 a.mp3", { is: "soundWanted", by: "bob" }],
    [
      `bob | alan | play | rtsp://h:1/7f3a?key=${KEY} http://h:2/7f3a?key=${KEY} a song.mp3`,
      { is: "plays", by: "bob", path: `7f3a?key=${KEY}`, file: "a song.mp3" },
    ],
    [
      `bob | alan | play | rtsps://h:1/7f3a?key=${KEY} - a.mp3`,
      { is: "plays", by: "bob", path: null, file: "a.mp3" },
    ],
    [
      `bob | alan | play | rtsp://h:1/7f3a?key=${KEY} http://h:2/../x?key=${KEY} a.mp3`,
      { is: "plays", by: "bob", path: null, file: "a.mp3" },
    ],
    ["bob | alan | play | cannot: no such file", { is: "cannotPlay", by: "bob", why: "no such file" }],
    ["bob | alan | play | a.mp3", { is: "other", by: "bob", operation: "play", text: "a.mp3" }],
    ["server | alan | play | no", { is: "notPlayed", why: "no" }],
    ["server | alan | list_streams | no streams", { is: "streams", found: null }],
    [
      "server | alan | list_streams | bob: a, b.mp3, 3 listening, 01:12 of 03:40",
      {
        is: "streams",
        found: { title: "bob: a, b.mp3", listeners: 3, elapsed: "01:12", length: "03:40" },
      },
    ],
    [
      "server | alan | list_streams | bob: a.mp3, 0 listening, 1:01:12",
      { is: "streams", found: { title: "bob: a.mp3", listeners: 0, elapsed: "1:01:12", length: null } },
    ],
    ["server | alan | stop | bob: a.mp3 ended", { is: "streamEnded", text: "bob: a.mp3 ended" }],
    ["bob | alan | dance | tango", { is: "other", by: "bob", operation: "dance", text: "tango" }],
  ]) {
    assert.deepEqual(meaning(parse(line)), expected, line);
  }
});

test("what is not seen becomes a mark, what is spelling stays", () => {
  assert.deepEqual(pieces("a\u202eb"), [{ text: "a" }, { mark: "U+202E" }, { text: "b" }]);
  for (const hidden of [
    "\u0000",
    "\u001b",
    "\u007f",
    "\u0085",
    "\u200b",
    "\u2066",
    "\ufeff",
    "\u2028",
    "\u3164",
    "\u{e0041}",
  ]) {
    assert.equal(pieces(`a${hidden}`)[1]?.mark?.startsWith("U+"), true, escape(hidden));
  }
  for (const kept of ["a\tb", "👩\u200d👩\u200d👧", "👍🏽\u200d♂", "می\u200cخواهم", "क्\u200dष", "<b>&amp;"]) {
    assert.deepEqual(pieces(kept), [{ text: kept }]);
  }
  assert.equal(harmless("a\u200db"), "a[U+200D]b");
});

test("both languages have the same words with the same gaps", () => {
  const gapsOf = (text) =>
    gaps(text)
      .flatMap(({ gap }) => gap ?? [])
      .sort();
  assert.deepEqual(Object.keys(WORDS.pt), Object.keys(WORDS.en));
  for (const key of Object.keys(WORDS.en)) assert.deepEqual(gapsOf(WORDS.pt[key]), gapsOf(WORDS.en[key]), key);
  assert.equal(chooseLanguage(["fr", "pt-PT", "en"]), "pt");
  assert.equal(chooseLanguage(["fr"]), "en");
  assert.equal(speaker("en")("says", { name: "{text}", text: "x" }), "{text}: x");
});

test("words of the server: advice for terminals left out, and known ones in Portuguese", () => {
  const taken = "This username is already taken. You need to connect again and use another one";
  assert.deepEqual(serverWords(taken, "en"), { text: "This username is already taken", language: "en" });
  assert.deepEqual(serverWords(taken, "pt"), { text: "Este nome já está em uso", language: "pt" });
  assert.deepEqual(
    serverWords("Destination client (a$1) not found!", "pt").text,
    "O destinatário (a$1) não foi encontrado!",
  );
  assert.equal(
    serverWords(
      "You were disconnected: you read too slowly. Slow readers delayed broadcasts by 2s within 10s, and more than 1048576 bytes for you were unread",
      "pt",
    ).text,
    "Você foi desconectado: sua leitura foi lenta demais. Leitores lentos atrasaram as mensagens a todos em 2s dentro de 10s, e mais de 1048576 bytes esperavam por você",
  );
  assert.equal(
    serverWords(
      "You were disconnected: unread messages for all clients passed 268435456 bytes, and yours were among the largest and oldest",
      "pt",
    ).text,
    "Você foi desconectado: as mensagens não lidas de todos passaram de 268435456 bytes, e as suas estavam entre as maiores e mais antigas",
  );
  for (const [english, portuguese] of [
    ["The name bob is banned until 2026-11-24T12:00:00Z by alan", "O nome bob está banido até 2026-11-24T12:00:00Z por alan"],
    ["mallоry has Cyrillic о; it looks like mallory, who is banned (for good by alan)", "mallоry se parece com mallory, que está banido"],
    ["rn looks like m, who is banned: rn looks like m (until 2026-11-24T12:00:00Z)", "rn se parece com m, que está banido"],
    ["bob is banned until 2026-11-24T12:00:00Z by alan: rude (1 session ended); that is a name", "bob está banido até 2026-11-24T12:00:00Z por alan: rude"],
  ]) {
    assert.equal(serverWords(english, "pt").text, portuguese);
  }
  assert.deepEqual(serverWords("something new", "pt"), { text: "something new", language: "en" });
});

test("conversations are bounded, one by one and together", () => {
  const conversations = new Conversations();
  const say = (conversation, at) => conversations.append(conversation, { kind: "said", text: String(at), at });
  for (let at = 0; at < ENTRIES + 2_000; at += 1) say(conversations.everyone, at);
  const { everyone } = conversations;
  assert.ok(everyone.size <= ENTRIES + 500);
  assert.equal(everyone.at(everyone.first).text, String(everyone.first));
  assert.equal(everyone.end, ENTRIES + 2_000);
  for (const name of ["a", "b", "c", "d"]) {
    const conversation = conversations.with(name);
    for (let at = 0; at < ENTRIES; at += 1) say(conversation, at);
  }
  let sum = 0;
  for (const { size } of conversations.all()) sum += size;
  assert.ok(sum <= ENTRIES_IN_ALL, String(sum));
  const kept = conversations.with("kept");
  kept.draft = "not sent yet";
  for (let count = 0; count < CONVERSATIONS + 10; count += 1) conversations.with(`n${count}`);
  assert.ok(conversations.persons().length <= CONVERSATIONS);
  assert.equal(conversations.get("kept"), kept);
});

test("what waits for an answer is bounded and answered in order", () => {
  const outstanding = new Outstanding();
  for (let count = 0; count < REMEMBERED + 5; count += 1) outstanding.add({ kind: "broadcast", count });
  assert.equal(outstanding.all(() => true).length, REMEMBERED);
  assert.equal(outstanding.answered(({ count }) => count === 7).length, 3);
  assert.deepEqual(
    outstanding.answered(({ count }) => count === 7),
    [],
  );
});

test("a list of people in parts takes the place of the one before when it is whole", () => {
  const people = new People();
  const names = () => people.sorted().map(([, name]) => name);
  people.part(["bob", "Ana"], null);
  people.part(["Ana"], { first: 1, last: 1, of: 4 });
  assert.equal(people.size, 2);
  people.part(["carl", "bea 10", "bea 9"], { first: 2, last: 4, of: 4 });
  assert.deepEqual(names(), ["Ana", "bea 9", "bea 10", "carl"]);
  people.came(["dora", "ANA"]);
  people.departed(["Carl", "nobody"]);
  assert.deepEqual(names(), ["ANA", "bea 9", "bea 10", "dora"]);
  // A requested list without numbers goes on until it is finished; one that was not requested is whole.
  people.begin();
  people.part(["eva"], null);
  people.part(["rui"], null);
  people.finish();
  assert.deepEqual(names(), ["eva", "rui"]);
  people.part(["zoe"], null);
  assert.deepEqual(names(), ["zoe"]);
});

test("rows: everyone, those one talks with, who else is here; and searching", () => {
  const { chat } = room();
  chat.entered("alan");
  chat.people.begin();
  chat.people.part(["alan", "bob", "carl"]);
  chat.people.finish();
  chat.receive({ is: "said", by: "bob", to: "me", text: "hi" });
  const shape = (search) => rows(chat.people, chat.conversations, "alan", search).map((row) => row.heading ?? row.name);
  assert.deepEqual(shape(""), ["", "conversations", "bob", "here", "alan", "carl"]);
  assert.deepEqual(shape("AR"), ["here", "carl"]);
  assert.deepEqual(shape("zz"), []);
});

/** A chat whose sent lines and events are recorded. */
function room(send = () => true) {
  const sent = [];
  const told = [];
  const chat = new Chat({
    send: (line) => send(line) && sent.push(line) > 0,
    now: () => 1_000,
    told: (what, conversation, entry) => told.push({ what, conversation, entry }),
  });
  chat.entered("alan");
  return { chat, sent, told, hear: (line) => chat.receive(meaning(parse(line))) };
}

test("a broadcast waits until it comes back, in the order of all", () => {
  const { chat, sent, hear } = room();
  const { everyone } = chat.conversations;
  chat.say(everyone, "one");
  assert.deepEqual(sent, ["alan | all clients | broadcast | one"]);
  assert.equal(everyone.size, 0);
  assert.equal(everyone.pending.length, 1);
  hear("bob | all clients | broadcast | zero");
  hear("alan | all clients | broadcast | one");
  assert.equal(everyone.pending.length, 0);
  assert.deepEqual([everyone.at(0).text, everyone.at(1).text, everyone.at(1).mine], ["zero", "one", true]);
});

test("the message that was for somebody who is gone is marked, and not those that arrived", () => {
  const { chat, sent, hear } = room();
  const bob = chat.conversations.with("bob");
  chat.say(bob, "one");
  assert.equal(sent.at(-1), "alan | alan | echo | done so far");
  hear("alan | alan | echo | done so far");
  chat.say(bob, "two");
  hear("server | alan | private_message | Destination client (bob) not found!");
  assert.deepEqual([bob.at(0).state, bob.at(1).state, bob.at(2).kind], [null, "failed", "error"]);
});

test("what was not confirmed when the connection was cut is said and kept", () => {
  const { chat, hear } = room();
  const { everyone } = chat.conversations;
  const bob = chat.conversations.with("bob");
  chat.say(bob, "sure");
  hear("alan | alan | echo | done so far");
  chat.say(bob, "private");
  chat.say(everyone, "to all");
  chat.left();
  assert.deepEqual([bob.at(0).state, bob.at(1).state], [null, "unsure"]);
  assert.deepEqual([everyone.at(0).text, everyone.at(0).state, everyone.pending.length], ["to all", "unsure", 0]);
});

test("errors are shown where they belong", () => {
  const { chat, told, hear } = room();
  const { everyone } = chat.conversations;
  chat.say(everyone, "too fast");
  hear(
    "server | alan | error_message | Your message was not sent: you may send 50 messages a second, 500 at once. " +
      "Try again in 1 s",
  );
  assert.deepEqual([everyone.at(0).text, everyone.at(0).state, everyone.at(1).kind], ["too fast", "failed", "error"]);
  chat.askToClose();
  hear("server | alan | error_message | Only someone connected from the server's own machine may close it");
  assert.equal(told.at(-1).what, "close");
  hear("server | alan | private_message | Destination client (nobody) not found!");
  assert.equal(everyone.last.text, "Destination client (nobody) not found!");
  hear("server | alan | error_message | Your line was dropped: a message has at most 512 bytes. Send it in parts");
  assert.equal(chat.limit, 512);
});

test("files: asked for, answered, and an empty list for those who ask", () => {
  const { chat, sent, hear } = room();
  const bob = chat.conversations.with("bob");
  chat.askFiles(bob);
  assert.equal(sent.at(-1), "alan | bob | list_files | no data");
  hear("bob | alan | list_files | what files?");
  assert.deepEqual([bob.last.kind, bob.last.listing], ["files", { words: "what files?" }]);
  hear("bob | alan | list_files | files 1 to 1 of 2: a.txt (5 bytes)");
  hear("bob | alan | list_files | files 2 to 2 of 2: b.txt (1 byte)");
  assert.deepEqual(bob.last.listing.entries.map(({ name }) => name), ["a.txt", "b.txt"]);
  for (let count = 0; count < 3; count += 1) hear("carl | alan | list_files | no data");
  assert.equal(sent.at(-1), "alan | carl | list_files | no folder is shared");
  assert.equal(chat.conversations.with("carl").size, 1);
  chat.askFiles(bob);
  hear("server | alan | list_files | Destination client (bob) not found!");
  assert.equal(bob.last.kind, "error");
});

test("a message is measured as it will be sent", () => {
  const { chat } = room();
  const line = "alan | all clients | broadcast_not_me | é";
  assert.equal(chat.measure(chat.conversations.everyone, "é", true), Buffer.byteLength(line));
});

test("what cannot be sent is not taken", () => {
  const { chat } = room(() => false);
  assert.equal(chat.say(chat.conversations.everyone, "one"), false);
  assert.equal(chat.conversations.everyone.pending.length, 0);
});

test("the page's own marks are never shown, whatever others send meanwhile", () => {
  const { chat, hear } = room();
  const bob = chat.conversations.with("bob");
  chat.say(bob, "one");
  chat.askFiles(bob);
  chat.say(chat.conversations.everyone, "two");
  hear("bob | alan | list_files | a.txt");
  hear("alan | alan | echo | done so far");
  hear("alan | all clients | broadcast | two");
  assert.equal(chat.conversations.get("alan"), null);
  assert.equal(chat.conversations.everyone.last.state, null);
  chat.say(chat.conversations.with("alan"), "done so far");
  hear("alan | alan | echo | done so far");
  assert.equal(chat.conversations.get("alan").last.text, "done so far");
});

test("a list of files is read as the protocol's page writes it", () => {
  const three = part('3 files: notes.txt (0 bytes), live/02 Intro.flac (1 byte), "a, \\"b\\"\\n.txt" (12 bytes); 1 file is not listed; not all was looked at');
  assert.deepEqual(three.entries.map(({ name, bytes }) => [name, bytes]), [["notes.txt", 0], ["live/02 Intro.flac", 1], ['a, "b"\n.txt', 12]]);
  assert.deepEqual(three.leftOut, { files: 1, folders: 0, more: true });
  assert.deepEqual(part("1 file: song.mp3 (4213442 bytes, 3:40, audio/mpeg)").entries, [{ name: "song.mp3", bytes: 4213442, length: "3:40", type: "audio/mpeg" }]);
  assert.deepEqual(part('1 file: "\\u{202e}\\xff\\t" (1 byte, audio/ogg)').entries, [{ name: "\u202e\ufffd\t", bytes: 1, length: null, type: "audio/ogg" }]);
  for (const text of ["", "no files are shared", "song.mp3, notes.txt", "1 file: ", "1 file: a (5 bytes) b", "1 file: a (x bytes)", '1 file: "a (5 bytes)'])
    assert.equal(part(text), null, text);
});

test("the parts of a list are put together, and gaps are counted", () => {
  const held = listing("files 1 to 1 of 5: a (1 byte)");
  assert.equal(addPart(held, "files 3 to 4 of 5: c (1 byte), d (1 byte)"), true);
  assert.deepEqual([held.reached, held.missing, held.entries.length], [4, 1, 3]);
  assert.equal(addPart(held, "files 1 to 1 of 5: a (1 byte)"), false, "another list");
  assert.equal(addPart(held, "files 5 to 5 of 6: e (1 byte)"), false, "another list");
  assert.equal(addPart(held, "thanks"), false);
  assert.equal(addPart(listing("thanks"), "files 1 to 1 of 1: a (1 byte)"), false);
});

test("sizes are said in units", () => {
  assert.deepEqual([0, 999, 1000, 4213442, 1e15].map((bytes) => size(bytes, "en")), ["0 bytes", "999 bytes", "1 kB", "4.2 MB", "1 PB"]);
  assert.deepEqual([1, 2, 4213442].map((bytes) => size(bytes, "pt-BR")), ["1 byte", "2 bytes", "4,2 MB"]);
});

/** A chat whose sent lines and events are recorded, with a clock that stands still. */
function soundRoom() {
  const sent = [];
  const told = [];
  const chat = new Chat({
    send: (line) => sent.push(line) > 0,
    now: () => 0,
    told: (what, conversation, entry) => told.push([what, entry]),
  });
  chat.entered("alan");
  const receive = (line) => chat.receive(meaning(parse(line)));
  return { chat, sent, told, receive };
}

test("only what was asked for is played, once", () => {
  const { chat, sent, told, receive } = soundRoom();
  const plays = `bob | alan | play | rtsp://h:1/7f3a?key=${KEY} http://h:2/7f3a?key=${KEY} a.mp3`;
  const played = () => told.filter(([what]) => what === "plays").map(([, entry]) => entry);
  receive(plays);
  assert.deepEqual(played(), []);
  assert.equal(chat.askPlay("Bob", "a.mp3"), true);
  assert.equal(sent.at(-1), "alan | Bob | play | a.mp3");
  // Other requests in between do not discard the request.
  chat.askPeople();
  receive("alan | alan | echo | done so far");
  receive(plays);
  receive(plays);
  assert.deepEqual(played(), [{ name: "bob", file: "a.mp3", path: `7f3a?key=${KEY}` }]);
});

test("why a file is not played stands where it was asked for", () => {
  const { chat, receive } = soundRoom();
  for (const file of ["a.mp3", "b.mp3", "c.mp3", "d.mp3"]) chat.askPlay("bob", file);
  const now = () => chat.conversations.with("bob").last;
  receive("bob | alan | play | cannot: no file b.mp3");
  assert.deepEqual([now().text, now().file, now().why], ["willNotPlay", "b.mp3", "no file b.mp3"]);
  receive("bob | alan | play | cannot: no");
  assert.deepEqual([now().text, now().file], ["willNotPlay", "a.mp3"]);
  const late = "bob: c.mp3 does not play: nothing came within 10s. Does bob share files?";
  receive(`server | alan | play | ${late}`);
  assert.deepEqual([now().kind, now().text], ["error", late]);
  receive("server | alan | play | Destination client (bob) not found!");
  assert.deepEqual([now().kind, now().text], ["error", "Destination client (bob) not found!"]);
  assert.match(serverWords(late, "pt").text, /^bob: c\.mp3 não toca: nada veio em 10s/);
  assert.equal(
    serverWords("bob: c.mp3 does not play: bob had not started, and its place went to another request (at most 8 may wait)", "pt").text,
    "bob: c.mp3 não toca: bob não tinha começado, e o lugar foi para outro pedido (no máximo 8 podem esperar)",
  );
  assert.equal(
    serverWords("bob: c.mp3 ended: its place went to another file (at most 32 play at once)", "pt").text,
    "bob: c.mp3 terminou: o lugar foi para outro arquivo (no máximo 32 tocam ao mesmo tempo)",
  );
});

test("a refusal to play concerns the request that it names", () => {
  for (const [line, about] of [
    ["server | alan | play | Bob: a.mp3 does not play: Bob has left", "a.mp3"],
    ["server | alan | play | bob: a.mp3 live does not play: bob has left", "a.mp3 live"],
    ["server | alan | play | x: bob: a.mp3 does not play: x has left", "z.mp3"],
    [
      "server | alan | play | The server does not listen for audio at the address where bob reached it. Its operator has to " +
        "add that to media.listen, or set media.public_host",
      "x.mp3",
    ],
    ["server | alan | play | 32 files are played, which is the most. /streams shows them; try again when one has ended", "z.mp3"],
    ["bob | alan | play | cannot: my a.mp3: no", "my a.mp3"],
    ["bob | alan | play | cannot: a.mp3: no", "a.mp3"],
    ["bob | alan | play | cannot: not today", "x.mp3"],
    ["eva | alan | play | cannot: a.mp3", null],
  ]) {
    const streams = new Streams();
    for (const file of ["x.mp3", "a.mp3", "a.mp3 live", "my a.mp3"]) streams.ask("bob", file);
    streams.ask("carl", "z.mp3");
    const { is, by, why } = meaning(parse(line));
    const meant = is === "cannotPlay" ? streams.cannot(by, why) : streams.notPlayed(why);
    assert.equal(meant?.file ?? null, about, line);
  }
});

test("a browser is asked for a file and says that it has none", () => {
  const { chat, sent, receive } = soundRoom();
  receive("bob | alan | publish | rtsp://h:1/7f3a?key=0 a.mp3");
  receive("bob | alan | publish | rtsp://h:1/7f3a?key=0 b.mp3");
  assert.deepEqual(sent, Array(2).fill("alan | bob | play | cannot: a browser shares no files"));
  assert.equal(chat.conversations.with("bob").size, 1);
});

test("what is on is listed whole, whoever's name holds what", () => {
  const { chat, sent, told, receive } = soundRoom();
  chat.people.came(["a: b"]);
  chat.askStreams();
  chat.askStreams();
  assert.deepEqual(sent, ["alan | server | list_streams | no data", "alan | alan | echo | done so far"]);
  receive("server | alan | list_streams | bob: x: y.mp3, 1 listening, 00:01");
  receive("server | alan | list_streams | a: b: c.mp3, 2 listening, 00:02 of 00:03");
  assert.deepEqual(chat.streams.on, []);
  receive("alan | alan | echo | done so far");
  assert.equal(told.at(-1)[0], "listed");
  assert.deepEqual(
    chat.streams.on.map(({ name, file, listeners }) => [name, file, listeners]),
    [
      ["bob", "x: y.mp3", 1],
      ["a: b", "c.mp3", 2],
    ],
  );
  assert.equal(chat.streams.find("BOB", "x: y.mp3").elapsed, "00:01");
  chat.askStreams();
  receive("server | alan | list_streams | no streams");
  receive("alan | alan | echo | done so far");
  assert.deepEqual(chat.streams.on, []);
});
