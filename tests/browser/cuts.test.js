// Tests what a page shows and keeps when its connection was cut. The tests simulate the server.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";

import {
  CHROMIUM,
  PHONE,
  choose,
  exactly,
  hears,
  isAccessible,
  join,
  launch,
  leave,
  leaveAll,
  receives,
  say,
  visit,
} from "./browser.js";
import { answering, greet, servePage } from "./page-server.js";

const skip = CHROMIUM ? false : "no chromium";
let browser;
let server;
let sockets = [];
/** Whether the server accepts no connection. */
let isDown = false;
/** Names that other clients have. */
let taken = [];
/** Whether the server answers nothing, as a stopped one. */
let isMute = false;
let password = "right";
/** Lines that the server received, except requests for lists, and marks. */
let said = [];

before(async () => {
  if (skip) return;
  browser = await launch();
  const answers = answering(
    () => ["bob"],
    (client, { sender, destination, operation, data }) => {
      const answer = (text, as = operation) => client.send(`server | ${sender} | ${as} | ${text}`);
      if (isMute) return true;
      if (["broadcast", "private_message", "echo"].includes(operation) && data !== "done so far") {
        said.push(`${sender} | ${destination} | ${operation} | ${data}`);
      }
      if (operation === "name" && taken.includes(data)) {
        const why = "This username is already taken. You need to connect again and use another one";
        client.send(`server | new_client: ${data} | connection_error | ${why}`);
        client.close();
      } else if (operation === "name" && data === "account") {
        client.name = data;
        answer("no data", "password");
      } else if (operation === "password" && data === password) {
        answer("You are now connected to the server", "connection_confirmation");
      } else if (operation === "password") {
        answer("That is not the password of account; 2 tries are left", "error_message");
        answer("no data", "password");
      } else return false;
      return true;
    },
  );
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
  taken = [];
  isMute = false;
  password = "right";
  said = [];
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

/** Has the server close, and meanwhile give the page's name to somebody else. */
async function loseName(page, name) {
  sockets.at(-1).send("server | all clients | broadcast | server closed");
  sockets.at(-1).close();
  isMute = false;
  taken.push(name);
  await page.locator("#banner-act").click();
  await page.locator("#name-error", { hasText: /already taken|já está em uso/ }).waitFor();
}

async function enter(page, name) {
  await page.locator("#name").fill(name);
  await page.locator("#name").press("Enter");
  await page.locator("#me", { hasText: exactly(name) }).waitFor();
}

/** The texts of the open conversation, each with the name beside it and its state. */
function entries(page) {
  return page.locator("#entries > .row").evaluateAll((rows) =>
    rows.map((row) =>
      [".by", ".text", ".tag"].map((part) => row.querySelector(part)?.textContent ?? "").join("|").replace(/\|+$/, ""),
    ),
  );
}

const CAME_BACK =
  "|Connected again, as ana2 and no longer as ana. Messages sent meanwhile by others are not kept by the server.";
const NAME_NOW = "|You have the name ana2 now. You said what is above as ana.";

test("under another name after a cut, what was said and typed is still there", { skip }, async () => {
  const page = await join(browser, server.url, "ana");
  await say(page, "hello");
  await hears(page, "hello");
  await choose(page, "bob");
  await say(page, "psst");
  sockets.at(-1).send("bob | ana | private_message | yes?");
  await hears(page, "yes?");
  await say(page, "/msg ana to myself");
  await choose(page, "ana");
  await hears(page, "to myself");
  await page.locator("#text").pressSequentially("half a note");
  await choose(page, "bob");
  await page.locator("#text").pressSequentially("half a secret");
  await choose(page, "Everyone");
  isMute = true;
  await say(page, "lost?");
  await page.locator("#text").pressSequentially("half a thought");
  await loseName(page, "ana");
  const kept = await page.locator("#kept-hint").textContent();
  assert.equal(kept, "Your conversations as ana are still in this tab. They stay, also if you enter under another name.");
  await isAccessible(page, "the entrance after a cut");
  await enter(page, "ana2");
  await hears(page, CAME_BACK.slice(1));
  assert.deepEqual(await entries(page), ["ana|hello", "ana|lost?|not confirmed", CAME_BACK]);
  assert.equal(await page.locator("#text").inputValue(), "half a thought");
  await choose(page, "bob");
  assert.deepEqual(await entries(page), ["ana|psst", "bob|yes?", "|Sent in the conversation with ana.", NAME_NOW]);
  assert.equal(await page.locator("#text").inputValue(), "half a secret");
  const before = [...said];
  await page.locator("#text").press("Enter");
  await hears(page, "half a secret");
  await receives(said, [...before, "ana2 | bob | private_message | half a secret"]);
  await leave(page);
});

test("notes to oneself go with the new name, and not to whoever has the old one", { skip }, async () => {
  const page = await join(browser, server.url, "ana");
  await say(page, "/msg ana to myself");
  // Somebody had the name that the user takes later.
  sockets.at(-1).send("ana2 | ana | private_message | bye");
  await choose(page, "ana2");
  await page.locator("#text").pressSequentially("half an answer");
  await choose(page, "ana");
  await hears(page, "to myself");
  await page.locator("#text").pressSequentially("half a note");
  await loseName(page, "ana");
  await enter(page, "ana2");
  await hears(page, NAME_NOW.slice(1));
  assert.equal(await page.locator("#title").textContent(), "ana2");
  assert.equal(await page.locator("#subtitle").textContent(), "What you send here comes back to you");
  assert.deepEqual(await entries(page), ["ana|to myself", "ana2|bye", NAME_NOW]);
  assert.equal(await page.locator("#text").inputValue(), "half a note\nhalf an answer");
  await page.locator("#text").press("Enter");
  await hears(page, "half an answer");
  assert.deepEqual(said.slice(-2), ["ana2 | ana2 | echo | half a note", "ana2 | ana2 | echo | half an answer"]);
  sockets.at(-1).send("ana | ana2 | private_message | I am another ana");
  await choose(page, "ana");
  assert.deepEqual(await entries(page), ["ana|I am another ana"]);
  assert.equal(await page.locator("#text").inputValue(), "");
  await leave(page);
});

test("with another name in place of a password, nothing is forgotten", { skip }, async () => {
  const page = await visit(browser, server.url);
  await page.locator("#name").fill("account");
  await page.locator("#name").press("Enter");
  await page.locator("#password").fill("right");
  await page.locator("#password").press("Enter");
  await say(page, "hello");
  await hears(page, "hello");
  sockets.at(-1).terminate();
  // The page answers with the password that it knows, which is wrong now.
  password = "changed";
  await page.locator("#password-error", { hasText: "That is not the password" }).waitFor();
  await page.getByRole("button", { name: "Another name" }).click();
  assert.equal(await page.locator("#password").inputValue(), "");
  await enter(page, "ana");
  await hears(page, "hello");
  await hears(page, CAME_BACK.slice(1).replace("ana2", "ana").replace("as ana.", "as account."));
  await leave(page);
});

test("in Portuguese: what stays after a cut, and that the name is another", { skip }, async () => {
  const page = await join(browser, server.url, "ana", { locale: "pt-BR" });
  await say(page, "oi");
  await hears(page, "oi");
  await loseName(page, "ana");
  const kept = await page.locator("#kept-hint").textContent();
  assert.equal(kept, "Suas conversas como ana continuam nesta aba, mesmo que você entre com outro nome.");
  await enter(page, "ana2");
  const isBack = "Conectado de novo, agora como ana2 e não mais como ana.";
  await hears(page, `${isBack} O servidor não guarda o que os outros enviaram nesse meio-tempo.`);
  await hears(page, "oi");
  await leave(page);
});
