// Tests how lists of files and streams are shown, and what the player says. The tests simulate the server.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";

import { CHROMIUM, choose, exactly, hears, join, launch, leave, leaveAll, say } from "./browser.js";
import { answering, greet, servePage } from "./page-server.js";

const skip = CHROMIUM ? false : "no chromium";
const MARK = "done so far";
let browser;
let server;
let socket;
/** The streams that the server lists, as `bob: tone.wav, 1 listening, 00:01 of 00:03`. */
let streams = [];
/** While this is set, the server answers no mark, so that no list is complete. Called when a list is requested. */
let hold = null;

before(async () => {
  if (skip) return;
  browser = await launch();
  const answers = answering(
    () => ["bob"],
    (client, { operation, data }) => {
      if (hold !== null && data === MARK) return true;
      if (operation !== "list_streams") return false;
      hold?.();
      for (const text of streams) client.send(`server | ${client.name} | list_streams | ${text}`);
      return true;
    },
  );
  server = await servePage((client) => {
    socket = client;
    greet(client, answers);
  });
});
afterEach(async () => {
  await leaveAll();
  streams = [];
  hold = null;
});
after(async () => {
  await browser?.close();
  await server?.close();
});

/** A WAV file of silence. */
function silence(seconds) {
  const rate = 8_000;
  const head = Buffer.alloc(44);
  head.write("RIFF", 0);
  head.writeUInt32LE(36 + seconds * rate, 4);
  head.write("WAVEfmt ", 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(rate, 24);
  head.writeUInt32LE(rate, 28);
  head.writeUInt16LE(1, 32);
  head.writeUInt16LE(8, 34);
  head.write("data", 36);
  head.writeUInt32LE(seconds * rate, 40);
  return Buffer.concat([head, Buffer.alloc(seconds * rate, 128)]);
}

/** Requests a file of bob's, which plays for some seconds, and waits until it is heard. */
async function listen(page, file, seconds, path) {
  const body = silence(seconds);
  await page.route(`**/${path}?key=*`, (route) => route.fulfill({ contentType: "audio/wav", body }));
  await say(page, `/play bob ${file}`);
  const address = `h:1/${path}?key=00112233445566778899aabbccddeeff`;
  socket.send(`bob | alan | play | rtsp://${address} http://${address} ${file}`);
  await page.locator("#playing", { hasText: exactly(`You hear ${file} of bob`) }).waitFor();
}

for (const [by, press] of [
  ["mouse", (button) => button.click()],
  ["keyboard", (button) => button.press("Enter")],
]) {
  test(`the focus is in the composer after Stop by ${by}`, { skip }, async () => {
    const page = await join(browser, server.url, "alan");
    await listen(page, "tone.wav", 60, "7f3a");
    await press(page.locator("#stop"));
    await page.locator("#player").waitFor({ state: "hidden" });
    assert.equal(await page.evaluate(() => document.activeElement.id), "text");
    await leave(page);
  });
}

for (const [locale, sizes] of [
  ["en-GB", ["0 bytes", "1 byte", "2 bytes", "2 kB"]],
  ["pt-BR", ["0 byte", "1 byte", "2 bytes", "2 kB"]],
]) {
  test(`sizes of files are numbers with their units: ${locale}`, { skip }, async () => {
    const page = await join(browser, server.url, "alan", { locale });
    await choose(page, "bob");
    const list = "4 files: a (0 bytes), b (1 byte), c (2 bytes), d (2000 bytes)";
    socket.send(`bob | alan | list_files | ${list}`);
    await page.locator("#entries .file-list .details").nth(3).waitFor();
    const shown = await page.locator("#entries .file-list .details").allTextContents();
    assert.deepEqual(shown.map((text) => text.replace("\u00a0", " ")), sizes);
    await leave(page);
  });
}

test("a refusal to play names the file once", { skip }, async () => {
  const page = await join(browser, server.url, "alan");
  await choose(page, "bob");
  for (const [file, reason, note] of [
    ["tone.wav", "tone.wav: it is played already", "bob does not play tone.wav: it is played already"],
    ["tone.wav", "its user said no", "bob does not play tone.wav: its user said no"],
    ["a: b", "a: b: its user said no", "bob does not play a: b: its user said no"],
    ["a", "about: its user said no", "bob does not play a: about: its user said no"],
  ]) {
    await say(page, `/play bob ${file}`);
    await hears(page, `You asked bob to play ${file}.`);
    socket.send(`bob | alan | play | cannot: ${reason}`);
    await hears(page, note);
  }
  await leave(page);
});

const figures = (page) => page.locator("#playing-figures");

/** Waits until the page shows this list of streams. */
async function lists(page, text) {
  streams = text === "" ? ["no streams"] : [text];
  const isShown = (wanted) => {
    const rows = [...document.querySelectorAll("#streams .details")].map((row) => row.textContent);
    return rows.join() === wanted || (wanted !== "" && rows.length === 1 && rows[0].includes(wanted));
  };
  await page.waitForFunction(isShown, text.replace(/^.*?(\d+ listening), /, "$1 · "));
}

test("there are no figures after a stream has ended", { skip }, async () => {
  const page = await join(browser, server.url, "alan");
  streams = ["bob: tone.wav, 1 listening, 00:00 of 00:03"];
  await listen(page, "tone.wav", 3, "7f3a");
  await figures(page).filter({ hasText: exactly("1 listening · 00:00 of 00:03") }).waitFor();
  await page.locator("#playing", { hasText: exactly("tone.wav of bob has ended") }).waitFor();
  assert.equal(await figures(page).textContent(), "");
  // Another stream of the same file does not bring them back.
  await lists(page, "bob: tone.wav, 5 listening, 00:09 of 01:00");
  assert.equal(await figures(page).textContent(), "");
  await leave(page);
});

for (const [how, end] of [
  ["the server says so", () => socket.send("server | alan | stop | bob: tone.wav ended: bob has left")],
  ["it is not on any more", (page) => lists(page, "")],
]) {
  test(`there are no figures of another stream of the same file, once ${how}`, { skip }, async () => {
    const page = await join(browser, server.url, "alan");
    streams = ["bob: tone.wav, 1 listening, 00:07"];
    await listen(page, "tone.wav", 60, "7f3a");
    await figures(page).filter({ hasText: exactly("1 listening · 00:07") }).waitFor();
    await end(page);
    await figures(page).filter({ hasText: exactly("") }).waitFor({ state: "attached" });
    await lists(page, "bob: tone.wav, 5 listening, 00:09");
    assert.equal(await figures(page).textContent(), "");
    assert.equal(await page.locator("#playing").textContent(), "You hear tone.wav of bob");
    await leave(page);
  });
}

test("the figures are those of the stream that is heard, from a list requested since", { skip }, async () => {
  const page = await join(browser, server.url, "alan");
  streams = ["bob: one.wav, 1 listening, 00:07"];
  await listen(page, "one.wav", 60, "7f3a");
  await figures(page).filter({ hasText: exactly("1 listening · 00:07") }).waitFor();
  for (const [file, path, now] of [
    ["two.wav", "7f3b", "2 listening, 00:01"],
    // Another stream of the same file.
    ["two.wav", "7f3c", "1 listening, 00:02"],
  ]) {
    // A list that the page requested before this stream began is complete only after.
    await new Promise((done) => {
      hold = done;
    });
    await listen(page, file, 60, path);
    // The words are those of the stream before if it is of the same file: only the figures show that this one began.
    await page.waitForFunction(() => document.querySelector("#playing-figures").textContent === "");
    await page.evaluate(watchFigures);
    streams = [`bob: ${file}, ${now}`];
    hold = null;
    socket.send(`alan | alan | echo | ${MARK}`);
    assert.equal(await page.evaluate(() => window.nextFigures), now.replace(", ", " · "));
  }
  await leave(page);
});

/** Begins to wait for the next text of the figures. */
function watchFigures() {
  const node = document.querySelector("#playing-figures");
  window.nextFigures = new Promise((done) => {
    new MutationObserver(() => done(node.textContent)).observe(node, { childList: true });
  });
}
