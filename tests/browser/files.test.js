// Tests how lists of files and streams are shown, and what the player says. The tests simulate the server.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";

import { CHROMIUM, choose, exactly, hears, join, launch, leave, leaveAll, say } from "./browser.js";
import { answering, greet, servePage } from "./page-server.js";

const skip = CHROMIUM ? false : "no chromium";
let browser;
let server;
let socket;
/** The streams that the server lists, as `bob: tone.wav, 1 listening, 00:01 of 00:03`. */
let streams = [];

before(async () => {
  if (skip) return;
  browser = await launch();
  const answers = answering(
    () => ["bob"],
    (client, { operation }) => {
      if (operation !== "list_streams") return false;
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
