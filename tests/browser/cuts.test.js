// Tests what a page shows and keeps when its connection was cut. The tests simulate the server.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";

import { CHROMIUM, exactly, join, launch, leave, leaveAll, say } from "./browser.js";
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
