// Tests what the page plays, with a real server and a real publisher. ARAUTO_URL and ARAUTO_TCP are as in
// page.test.js; without them, or without ffmpeg, these tests are skipped.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as path } from "node:path";
import { after, afterEach, before, test } from "node:test";

import { CHROMIUM, Friend, choose, exactly, isAccessible, join, launch, leaveAll, program } from "./browser.js";

const { ARAUTO_URL: url, ARAUTO_TCP: port } = process.env;
const hasTools = CHROMIUM && program("nc") && program("ffmpeg");
const skip = !url || !port ? "no ARAUTO_URL and ARAUTO_TCP" : !hasTools ? "no chromium, nc or ffmpeg" : false;
/** Frequency of the tone that is played, in hertz. */
const TONE = 1000;
let browser;
let folder;
const publishers = new Set();

before(async () => {
  if (skip) return;
  browser = await launch();
  folder = mkdtempSync(path(tmpdir(), "arauto-sound-"));
});
afterEach(async () => {
  for (const publisher of publishers) publisher.kill("SIGKILL");
  publishers.clear();
  await leaveAll();
});
after(async () => {
  await browser?.close();
  if (folder) rmSync(folder, { recursive: true });
});

/** Makes a file of one tone with ffmpeg. */
function tone(name, ...format) {
  const file = path(folder, name);
  const source = ["-f", "lavfi", "-i", `sine=frequency=${TONE}:duration=120:sample_rate=48000`];
  const made = spawnSync("ffmpeg", ["-v", "error", ...source, "-ac", "2", ...format, file], { encoding: "utf8" });
  assert.equal(made.status, 0, made.stderr);
  return file;
}

/** Waits until the server asks `friend` to publish a file, and publishes it with ffmpeg. */
async function publish(friend, name, file, codec = "copy") {
  const asked = await friend.hears(new RegExp(` \\| publish \\| rtsp://\\S+ ${name}$`));
  const address = asked.match(/rtsp:\/\/\S+/)[0];
  const options = ["-v", "error", "-re", "-i", file, "-c", codec, "-f", "rtsp", address];
  const publisher = spawn("ffmpeg", options, { stdio: "ignore" });
  publishers.add(publisher);
  return publisher;
}

/** Waits until an AnalyserNode finds mostly a tone of this frequency in the page's sound. */
async function hearsTone(page, frequency) {
  await page.evaluate(() => {
    window.context ??= new AudioContext();
    window.analyser ??= window.context.createAnalyser();
    const audio = document.getElementById("audio");
    window.source ??= window.context.createMediaElementSource(audio);
    window.analyser.fftSize = 8192;
    window.source.connect(window.analyser).connect(window.context.destination);
  });
  const found = await page.waitForFunction(
    (wanted) => {
      window.context.resume();
      const { analyser, context } = window;
      const bins = new Float32Array(analyser.frequencyBinCount);
      analyser.getFloatFrequencyData(bins);
      const loudest = bins.indexOf(Math.max(...bins));
      const heard = (loudest * context.sampleRate) / analyser.fftSize;
      return bins[loudest] > -40 && Math.abs(heard - wanted) < 20 ? { heard, level: bins[loudest] } : false;
    },
    frequency,
    { polling: 100 },
  );
  return found.jsonValue();
}

const LIST =
  '"my song.mp3" (100 bytes, 2:00, audio/mpeg), notes.txt (10 bytes, text/plain), ' +
  "other.opus (100 bytes, 2:00, audio/ogg), third.wav (100 bytes, 2:00, audio/wav)";

async function showFiles(page, friend) {
  await choose(page, "ana");
  await page.locator("#files").click();
  await friend.hears(/ \| list_files \| no data$/);
  friend.type(`ana | ${await page.locator("#me").textContent()} | list_files | 4 files: ${LIST}`);
  await page.locator("#entries .listen").first().waitFor();
}

test("a file of a list is clicked and heard, by several, from the keyboard, and stopped", { skip }, async () => {
  const song = tone("song.mp3", "-b:a", "128k");
  const ana = await Friend.enter(port, "ana");
  const rui = await join(browser, url, "rui");
  await showFiles(rui, ana);
  const names = await rui.locator("#entries .listen").allTextContents();
  assert.deepEqual(names, ["my song.mp3", "other.opus", "third.wav"], "only sound is offered");
  const button = rui.getByRole("button", { name: /^Listen to .*my song\.mp3/ });
  await button.focus();
  await rui.keyboard.press("Enter");
  const publisher = await publish(ana, "my song.mp3", song);
  await rui.locator("#playing", { hasText: exactly("You hear my song.mp3 of ana") }).waitFor();
  const { heard } = await hearsTone(rui, TONE);
  assert.ok(Math.abs(heard - TONE) < 20, String(heard));
  // A file that plays is not requested again.
  for (const place of ["#entries", "#streams"]) await rui.locator(`${place} .listen`).first().press("Enter");
  await rui.locator("#playing", { hasText: exactly("You hear my song.mp3 of ana") }).waitFor();
  assert.equal(await rui.getByText("You asked ana to play my song.mp3.").count(), 1);

  // Another user plays the same stream from the list of streams.
  const eva = await join(browser, url, "eva");
  await eva.locator("#streams .listen").click();
  await hearsTone(eva, TONE);
  await eva.locator("#playing-figures", { hasText: /^2 listening · 00:\d\d/ }).waitFor();
  await rui.locator("#playing-figures", { hasText: /^2 listening · 00:\d\d/ }).waitFor();
  await isAccessible(eva, "while something is heard");
  ana.type("/streams");
  await ana.hears(/^server \| ana \| list_streams \| ana: my song\.mp3, 2 listening, 00:\d\d/);

  await eva.locator("#stop").focus();
  await eva.keyboard.press("Enter");
  await eva.locator("#player").waitFor({ state: "hidden" });
  await rui.locator("#playing-figures", { hasText: /^1 listening/ }).waitFor();
  ana.type("/stop my song.mp3");
  await rui.locator("#playing", { hasText: exactly("my song.mp3 of ana has ended") }).waitFor();
  await rui.locator("#on-air").waitFor({ state: "hidden" });
  assert.deepEqual([...rui.problems, ...eva.problems], []);
  publisher.kill();
});

test("Opus is heard as well, and after a pause what the others hear then", { skip }, async () => {
  const song = tone("other.opus", "-c:a", "libopus", "-b:a", "96k");
  const ana = await Friend.enter(port, "ana");
  const rui = await join(browser, url, "rui");
  await showFiles(rui, ana);
  await rui.getByRole("button", { name: /^Listen to .*other\.opus/ }).click();
  await publish(ana, "other.opus", song);
  await hearsTone(rui, TONE);
  await rui.evaluate(() => document.getElementById("audio").pause());
  const before = await rui.evaluate(() => document.getElementById("audio").currentTime);
  assert.ok(before > 0);
  await rui.evaluate(() => document.getElementById("audio").play());
  // The stream begins again, with a new clock.
  await rui.waitForFunction(() => document.getElementById("audio").currentTime > 0.2);
  await hearsTone(rui, TONE);
  assert.deepEqual(rui.problems, []);
});

test("samples are heard as well", { skip }, async () => {
  const song = tone("third.wav");
  const ana = await Friend.enter(port, "ana");
  const rui = await join(browser, url, "rui");
  await showFiles(rui, ana);
  await rui.getByRole("button", { name: /^Listen to .*third\.wav/ }).click();
  await publish(ana, "third.wav", song, "pcm_s16be");
  await hearsTone(rui, TONE);
  assert.deepEqual(rui.problems, []);
});

test("why there is nothing to hear is shown", { skip }, async () => {
  const ana = await Friend.enter(port, "ana");
  const rui = await join(browser, url, "rui", { locale: "pt-BR" });
  await showFiles(rui, ana);
  await rui.locator("#entries .listen").first().click();
  await ana.hears(/ \| publish \| /);
  ana.type("ana | rui | play | cannot: not now");
  await rui.getByText("ana não toca my song.mp3: not now").waitFor();
  await rui.locator("#entries .listen").first().click();
  await ana.hears(/ \| publish \| /);
  await ana.exit();
  await rui.getByText("ana: my song.mp3 não toca: ana saiu").waitFor();
  assert.equal(await rui.locator("#player").isHidden(), true);
});
