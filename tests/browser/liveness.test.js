// Tests that the page notices when the server stops answering. The tests simulate the server.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";

import { CHROMIUM, choose, hears, join, launch, leave, leaveAll, person, say } from "./browser.js";
import { answering, greet, servePage } from "./page-server.js";

const skip = CHROMIUM ? false : "no chromium";
let browser;
let server;
let isStopped = false;
/** Lines that arrived while the server was stopped, as a kernel would keep them. */
let kept = [];

before(async () => {
  if (skip) return;
  browser = await launch();
  const answers = answering(() => ["bob"]);
  server = await servePage((client) => {
    if (isStopped) return;
    greet(client, (...message) => (isStopped ? kept.push(message) : answers(...message)));
    client.resume = () => kept.splice(0).forEach((message) => answers(...message));
    server.client = client;
  });
});
afterEach(async () => {
  isStopped = false;
  kept = [];
  await leaveAll();
});
after(async () => {
  await browser?.close();
  await server?.close();
});

/**
 * Stops the page's clock, and moves it on until `isReached` is true in the page. Returns the seconds that passed on that
 * clock, which do not depend on how busy the machine is.
 */
async function secondsUntil(page, isReached, ...given) {
  for (let passed = 0; passed < 30; passed += TICK) {
    if (await page.evaluate(isReached, ...given)) return passed;
    await page.clock.runFor(TICK * 1_000);
  }
  throw new Error(`not within 30 s: ${isReached}`);
}

/** Seconds between two looks of `secondsUntil`. */
const TICK = 0.25;

/** Stops the page's clock soon after the present moment. */
async function stopClock(page) {
  for (let ahead = 50; ; ahead *= 2) {
    try {
      return await page.clock.pauseAt(await page.evaluate((ms) => Date.now() + ms, ahead));
    } catch (error) {
      // On a busy machine that moment may be over when the request arrives.
      if (!error.message.includes("to the past") || ahead > 1_000) throw error;
    }
  }
}

const bannerSays = (text) => document.querySelector("#banner-text").textContent.includes(text);

/** Whether the row with this text visibly says that it is being sent. */
function isSending(text) {
  const rows = [...document.querySelectorAll("#log .row.late")];
  const row = rows.find((candidate) => candidate.querySelector(".text").textContent === text);
  const time = row?.querySelector("time");
  return time?.textContent === "sending" && time.getBoundingClientRect().height > 0 && getComputedStyle(time).opacity === "1";
}

for (const to of ["Everyone", "bob"]) {
  for (const viewport of [{ width: 1280, height: 800 }, { width: 390, height: 844 }]) {
    test(`a stopped server: a message to ${to} at ${viewport.width} px`, { skip }, async () => {
      const page = await join(browser, server.url, "alan", { viewport, clock: true });
      await page.locator("#subtitle", { hasText: "2 are here" }).waitFor();
      if (to !== "Everyone") await choose(page, to);
      await say(page, "one");
      await hears(page, "one");
      await page.waitForFunction(() => document.querySelector("#pending").childElementCount === 0);
      isStopped = true;
      await stopClock(page);
      // This row continues the one above, so its time is normally hidden.
      await say(page, "two");
      const seen = await secondsUntil(page, isSending, "two");
      assert.equal(await page.locator("#log .row.late").getAttribute("class").then((all) => all.includes("continued")), true);
      const said = seen + (await secondsUntil(page, bannerSays, "The server does not answer."));
      const cut = said + (await secondsUntil(page, bannerSays, "The connection was cut."));
      assert.ok(seen >= 0.9 && seen < 3 && said < 10 && cut < 20, `${seen} s, ${said} s, ${cut} s`);
      // The page draws only while its clock runs.
      await page.clock.resume();
      assert.equal(await (await hears(page, "two")).locator(".tag.bad").textContent(), "not confirmed");
      await leave(page);
    });
  }
}

test("a server that is stopped while nothing is said is noticed in the same time", { skip }, async () => {
  const page = await join(browser, server.url, "alan", { clock: true });
  await person(page, "bob").waitFor();
  isStopped = true;
  await stopClock(page);
  const said = await secondsUntil(page, bannerSays, "The server does not answer.");
  const more = await secondsUntil(page, bannerSays, "The connection was cut.");
  assert.ok(said < 10 && said + more < 20, `${said} s and ${more} s`);
  await leave(page);
});

test("a server that answers again takes back what was said of it", { skip }, async () => {
  const page = await join(browser, server.url, "alan");
  await choose(page, "bob");
  isStopped = true;
  await say(page, "late");
  await page.locator("#banner-text", { hasText: "The server does not answer." }).waitFor();
  isStopped = false;
  server.client.resume();
  await page.locator("#banner").waitFor({ state: "hidden" });
  await page.waitForFunction(() => document.querySelector("#log .late") === null);
  assert.equal(await (await hears(page, "late")).locator(".tag").count(), 0);
  await leave(page);
});

test("what is answered at once is never shown as being sent", { skip }, async () => {
  const page = await join(browser, server.url, "alan");
  await page.evaluate(() => {
    window.late = 0;
    new MutationObserver(() => {
      window.late += document.querySelectorAll("#log .late").length;
    }).observe(document.querySelector("#log"), { subtree: true, childList: true, attributes: true });
  });
  for (const text of ["one", "two", "/msg bob three"]) await say(page, text);
  await hears(page, "two");
  // Meanwhile a probe and its answer pass.
  await new Promise((done) => server.client.on("message", (line) => line.toString().endsWith("done so far") && done()));
  assert.equal(await page.evaluate(() => window.late), 0);
  await leave(page);
});
