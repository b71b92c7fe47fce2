// Tests what a page shows and keeps when its connection was cut. The tests simulate the server.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";

import { CHROMIUM, PHONE, exactly, join, launch, leave, leaveAll, say } from "./browser.js";
import { answering, greet, servePage } from "./page-server.js";

const skip = CHROMIUM ? false : "no chromium";
let browser;
let server;
let sockets = [];
/** Whether the server accepts no connection. */
let isDown = false;

before(async () => {
  if (skip) return;
  browser = await launch();
  const answers = answering(() => ["bob"]);
  server = await servePage((client) => {
    sockets.push(client);
    if (isDown) client.terminate();
    else greet(client, answers);
  });
});
afterEach(async () => {
  await leaveAll();
  sockets = [];
  isDown = false;
});
after(async () => {
  await browser?.close();
  await server?.close();
});

/** Cuts the page's connection, and has the server accept no other. */
async function cut(page) {
  isDown = true;
  sockets.at(-1).terminate();
  await page.locator("#banner").waitFor();
}

async function comesBack(page) {
  isDown = false;
  await page.locator("#banner").waitFor({ state: "hidden" });
}

for (const [locale, notConnected] of [
  ["en-GB", "Not connected. What you typed stays here."],
  ["pt-BR", "Sem conexão. O que você escreveu fica aqui."],
]) {
  test(`that nothing can be sent is no longer said when it can: ${locale}`, { skip }, async () => {
    const page = await join(browser, server.url, "alan", { locale });
    const complaint = page.locator("#complaint");
    await cut(page);
    await say(page, "hello");
    await complaint.filter({ hasText: exactly(notConnected) }).waitFor();
    await comesBack(page);
    await complaint.filter({ hasText: exactly("") }).waitFor({ state: "attached" });
    assert.equal(await page.locator("#text").inputValue(), "hello");
    // Any other complaint stays.
    await say(page, "/quit");
    await complaint.filter({ hasText: "/quit" }).waitFor();
    await cut(page);
    await comesBack(page);
    assert.match(await complaint.textContent(), /^\/quit/);
    await leave(page);
  });
}

const focused = (page) => page.evaluate(() => document.activeElement.id || document.activeElement.tagName);

for (const [by, options, press, place] of [
  ["mouse", {}, (button) => button.click(), "text"],
  ["keyboard", {}, (button) => button.press("Enter"), "text"],
  // The composer would open a keyboard, which covers the messages.
  ["touch", PHONE, (button) => button.tap(), "title"],
]) {
  test(`the focus stays in the conversation when a button is pressed by ${by} and disappears`, { skip }, async () => {
    const page = await join(browser, server.url, "alan", options);
    await cut(page);
    await press(page.getByRole("button", { name: "Try now" }));
    await comesBack(page);
    assert.equal(await focused(page), place);
    isDown = true;
    sockets.at(-1).send("server | all clients | broadcast | server closed");
    sockets.at(-1).close();
    const again = page.getByRole("button", { name: "Connect again" });
    await press(again);
    // No server answers yet.
    await again.waitFor();
    await page.locator("#banner-text", { hasText: "No server answers" }).waitFor();
    assert.equal(await focused(page), place);
    isDown = false;
    await press(again);
    await comesBack(page);
    assert.equal(await focused(page), place);
    await leave(page);
  });
}

test("a focus that is elsewhere stays there when the connection is back", { skip }, async () => {
  const page = await join(browser, server.url, "alan");
  await cut(page);
  await page.locator("#search").click();
  await comesBack(page);
  assert.equal(await focused(page), "search");
  await leave(page);
});
