// Tests that a user of the page finds no data of the user who left before. The tests simulate the server.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";

import { CHROMIUM, choose, hears, join, launch, leave, leaveAll, person, say, visit } from "./browser.js";
import { answering, greet, servePage } from "./page-server.js";

const skip = CHROMIUM ? false : "no chromium";
/** Part of all of Ana's data that the next user must not find. */
const SECRET = "sesame";
let browser;
let server;
let sockets = [];
/** Whether the server is silent, as a stopped one is. */
let isMute = false;
let isTaken = false;

before(async () => {
  if (skip) return;
  browser = await launch();
  const answers = answering(
    () => [`bob ${SECRET}`],
    (client, { operation, data }) => {
      const answer = (text, as = operation) => client.send(`server | ${client.name} | ${as} | ${text}`);
      if (isMute) return true;
      if (operation === "name" && isTaken && data !== "mallory") {
        client.send(`server | new_client: ${data} | connection_error | The name ${data} is reserved. You need to connect again and use another one`);
        client.close();
      } else if (operation === "name" && data === "account") {
        client.name = data;
        answer("no data", "password");
      } else if (operation === "password") answer("You are now connected to the server", "connection_confirmation");
      else if (operation === "exit") {
        answer("client disconnected");
        client.close();
      } else if (operation === "list_streams" && client.name !== "mallory") answer(`bob ${SECRET}: ${SECRET}.mp3, 1 listening, 0:01`);
      else return false;
      return true;
    },
  );
  server = await servePage((client) => {
    sockets.push(client);
    greet(client, answers);
  });
});
afterEach(async () => {
  await leaveAll();
  sockets = [];
  isMute = false;
  isTaken = false;
});
after(async () => {
  await browser?.close();
  await server?.close();
});

/** Uses the page so that it holds all kinds of data with the secret. */
async function live(page) {
  const bob = `bob ${SECRET}`;
  await person(page, bob).waitFor();
  await page.getByRole("button", { name: `Listen to` }).waitFor();
  await say(page, `${SECRET} to all`);
  await hears(page, `${SECRET} to all`);
  await page.locator("#text").pressSequentially(`${SECRET} draft`);
  await page.getByLabel("All but me").check();
  await choose(page, bob);
  sockets.at(-1).send(`${bob} | ana | private_message | ${SECRET} for you`);
  await hears(page, `${SECRET} for you`);
  sockets.at(-1).send(`${bob} | ana | list_files | 1 file: ${SECRET}.mp3 (5 bytes, audio/mpeg)`);
  await page.locator("#entries .file-list").waitFor();
  await page.locator("#text").pressSequentially(`${SECRET} half`);
  await page.locator("#search").pressSequentially(SECRET);
  await page.getByRole("button", { name: "Close the server…" }).click();
  await page.getByRole("button", { name: "Keep it open" }).click();
}

/** Every text, attribute and field of the page that still contains the secret. */
function traces(page) {
  return page.evaluate((secret) => {
    const found = [];
    const look = (what, text) => text?.toLowerCase().includes(secret) && found.push(`${what}: ${text}`);
    look("title", document.title);
    for (const node of document.querySelectorAll("*")) {
      for (const { name, value } of node.attributes) look(`${node.id} ${name}`, value);
      look(`${node.id} value`, node.value);
      for (const child of node.childNodes) if (child.nodeType === 3) look(node.id || node.className, child.data);
    }
    for (const store of [localStorage, sessionStorage]) look("storage", JSON.stringify({ ...store }));
    look("history", JSON.stringify(history.state));
    return found;
  }, SECRET);
}

async function enterAs(page, name) {
  await page.locator("#name").fill(name);
  await page.keyboard.press("Enter");
  await page.locator("#me", { hasText: name }).waitFor();
}

/** Presses Ctrl+Z 30 times in each field. */
async function undo(page) {
  for (const field of ["#search", "#text"]) {
    await page.locator(field).focus();
    for (let count = 0; count < 30; count += 1) await page.keyboard.press("Control+z");
  }
}

async function isEmpty(page, name, people = [`bob ${SECRET}`]) {
  await enterAs(page, name);
  assert.equal(await page.locator("#title").textContent(), "Everyone");
  assert.equal(await page.locator("#empty").isVisible(), true);
  for (const field of ["#text", "#search"]) assert.equal(await page.locator(field).inputValue(), "");
  assert.equal(await page.getByLabel("All but me").isChecked(), false);
  await undo(page);
  for (const field of ["#text", "#search"]) assert.equal(await page.locator(field).inputValue(), "");
  // The list of clients is no user's data: it shows people, and no conversations.
  for (const who of people) await person(page, who).waitFor();
  assert.equal(await page.locator("#people .group").count(), 1);
}

for (const next of ["mallory", "ana"]) {
  test(`after Leave, ${next === "ana" ? "the same name" : "another name"} begins empty`, { skip }, async () => {
    const page = await join(browser, server.url, "ana");
    await live(page);
    // A message that has just arrived is not announced to the next user either.
    sockets.at(-1).send(`bob ${SECRET} | ana | private_message | ${SECRET} late`);
    await hears(page, `${SECRET} late`);
    await page.getByRole("button", { name: "Leave" }).click();
    await page.locator("#name").waitFor();
    assert.deepEqual(await traces(page), []);
    await isEmpty(page, next);
    await page.waitForFunction(() => document.querySelector("#announcements").childElementCount === 0);
    await leave(page);
  });
}

test("leaving does not wait for a server that does not answer", { skip }, async () => {
  const page = await join(browser, server.url, "ana");
  await live(page);
  isMute = true;
  await page.getByRole("button", { name: "Leave" }).click();
  await page.locator("#name").waitFor({ timeout: 5_000 });
  assert.deepEqual(await traces(page), []);
  await leave(page);
});

test("leaving while the connection is cut forgets as well", { skip }, async () => {
  const page = await join(browser, server.url, "ana");
  await live(page);
  isMute = true;
  sockets.at(-1).terminate();
  await page.locator("#banner-text", { hasText: "The connection was cut." }).waitFor();
  await page.getByRole("button", { name: "Leave" }).click();
  await page.locator("#name").waitFor();
  assert.deepEqual(await traces(page), []);
  isMute = false;
  await isEmpty(page, "ana");
  await leave(page);
});

test("a name that is refused after a cut: deleting what is kept forgets it", { skip }, async () => {
  const page = await join(browser, server.url, "ana");
  await live(page);
  isTaken = true;
  sockets.at(-1).terminate();
  await page.locator("#name-error", { hasText: "reserved" }).waitFor();
  await page.getByRole("button", { name: "Delete them" }).click();
  assert.deepEqual(await traces(page), []);
  assert.equal(await page.locator("#kept").isVisible(), false);
  assert.equal(await page.evaluate(() => document.activeElement.id), "name");
  await isEmpty(page, "mallory");
  assert.deepEqual((await traces(page)).filter((trace) => !/^(name: bob sesame|person-\d+ data-looks: .*)$/.test(trace)), []);
  await leave(page);
});

test("after a cut the same name finds all as it was", { skip }, async () => {
  const page = await join(browser, server.url, "ana");
  await live(page);
  sockets.at(-1).terminate();
  await page.locator("#banner-text", { hasText: "The connection was cut." }).waitFor();
  await page.locator("#banner").waitFor({ state: "hidden" });
  await hears(page, `${SECRET} for you`);
  assert.equal(await page.locator("#text").inputValue(), `${SECRET} half`);
  assert.equal(await page.locator("#search").inputValue(), SECRET);
  await leave(page);
});

test("a password is not brought back by undoing", { skip }, async () => {
  const page = await visit(browser, server.url);
  await page.locator("#name").fill("account");
  await page.keyboard.press("Enter");
  await page.locator("#password").pressSequentially(SECRET);
  await page.getByRole("button", { name: "Another name" }).click();
  await page.locator("#name").fill("account");
  await page.keyboard.press("Enter");
  for (let turn = 0; turn < 2; turn += 1) {
    await page.locator("#password").focus();
    for (let count = 0; count < 30; count += 1) await page.keyboard.press("Control+z");
    assert.equal(await page.locator("#password").inputValue(), "");
    if (turn > 0) break;
    await page.locator("#password").pressSequentially(SECRET);
    await page.keyboard.press("Enter");
    await page.locator("#text").waitFor();
    await page.getByRole("button", { name: "Leave" }).click();
    await page.locator("#name").fill("account");
    await page.keyboard.press("Enter");
  }
  await leave(page);
});

test("a page that was gone from and is come back to begins empty", { skip }, async () => {
  const page = await join(browser, server.url, "ana");
  await live(page);
  // The event of a browser that keeps a page in its back/forward cache.
  await page.evaluate(() => window.dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true })));
  await page.locator("#name").waitFor();
  assert.deepEqual(await traces(page), []);
  await leave(page);
});
