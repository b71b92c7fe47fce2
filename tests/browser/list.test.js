// Tests what the list of conversations and people shows. The tests simulate the server.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";

import { CHROMIUM, choose, exactly, hears, join, launch, leave, leaveAll, person, say } from "./browser.js";
import { answering, greet, servePage } from "./page-server.js";

const skip = CHROMIUM ? false : "no chromium";
let browser;
let server;
let socket;
let answers;
let people = [];
/** Requests for the list of clients, and marks, that the server has not answered; null if it answers them at once. */
let held = null;

before(async () => {
  if (skip) return;
  browser = await launch();
  const refuses = (client, { destination, operation }) => {
    if (operation !== "private_message" || people.includes(destination)) return false;
    client.send(`server | ${client.name} | private_message | Destination client (${destination}) not found!`);
    return true;
  };
  answers = answering(() => people, refuses);
  server = await servePage((client) => {
    socket = client;
    greet(client, (...message) => {
      const isHeld = ["list_clients", "echo"].includes(message[1].operation);
      if (held !== null && isHeld) held.push(message);
      else answers(...message);
    });
  });
});
afterEach(async () => {
  await leaveAll();
  people = [];
  held = null;
});
after(async () => {
  await browser?.close();
  await server?.close();
});

test("the divider is above the first of the messages that the badge counts", { skip }, async () => {
  const page = await join(browser, server.url, "alan");
  for (const [index, text] of ["one", "two", "three"].entries()) {
    await say(page, `/msg ghost ${text}`);
    // The next message is sent after the refusal of this one.
    await person(page, "ghost").locator(".badge").filter({ hasText: `${index + 1} unread` }).waitFor();
  }
  await choose(page, "ghost");
  await hears(page, "three");
  const rows = await page.locator("#entries > .row").evaluateAll((all) =>
    all.map((row) => `${row.querySelector(".divider.new") ? "new: " : ""}${row.querySelector(".text").textContent}`),
  );
  const refusal = "Destination client (ghost) not found!";
  assert.deepEqual(rows, ["one", `new: ${refusal}`, "two", refusal, "three", refusal]);
  await leave(page);
});

/** The list's headings and names in their order. */
function listed(page) {
  return page.locator("#people > *").evaluateAll((rows) =>
    rows
      .sort((one, other) => one.getBoundingClientRect().top - other.getBoundingClientRect().top)
      .map((row) => row.querySelector(".name")?.textContent ?? row.textContent),
  );
}

for (const way of ["mouse", "Enter", "arrows"]) {
  test(`choosing a found person by ${way} ends the search`, { skip }, async () => {
    people = ["bob", "carl"];
    const page = await join(browser, server.url, "alan");
    await person(page, "bob").waitFor();
    await page.locator("#search").click();
    await page.keyboard.type("bo");
    await person(page, "carl").waitFor({ state: "detached" });
    if (way === "mouse") await person(page, "bob").click();
    // The first arrow only moves the focus into the list.
    for (let count = 0; way === "arrows" && count < 2; count += 1) await page.keyboard.press("ArrowDown");
    if (way !== "mouse") await page.keyboard.press("Enter");
    await page.locator("#title", { hasText: "bob" }).waitFor();
    await person(page, "carl").waitFor();
    assert.equal(await page.locator("#search").inputValue(), "");
    assert.equal(await page.evaluate(() => document.activeElement.id), "text");
    assert.deepEqual(await listed(page), ["Everyone", "Conversations · 1", "bob", "Here · 3", "alan", "carl"]);
    await leave(page);
  });
}

test("a search also lists unread conversations, and Enter chooses none of them", { skip }, async () => {
  people = ["bob", "carl"];
  const page = await join(browser, server.url, "alan");
  await choose(page, "bob");
  await page.locator("#search").click();
  await page.keyboard.type("bo");
  await page.locator("#people .group", { hasText: "Here · 3" }).waitFor({ state: "detached" });
  socket.send("carl | alan | private_message | psst");
  socket.send("carl | all clients | broadcast | hello");
  await person(page, "Everyone").locator(".badge").filter({ hasText: "1 unread" }).waitFor();
  await person(page, "carl").locator(".badge").filter({ hasText: "1 unread" }).waitFor();
  assert.deepEqual(await listed(page), ["Conversations · 1", "bob", "Unread · 2", "Everyone", "carl"]);
  await page.locator("#search").fill("nobody");
  await page.locator("#nobody", { hasText: "Nobody has a name like that." }).waitFor();
  assert.deepEqual(await listed(page), ["Unread · 2", "Everyone", "carl"]);
  await page.keyboard.press("Enter");
  assert.equal(await page.locator("#title").textContent(), "bob");
  await person(page, "carl").click();
  await hears(page, "psst");
  await leave(page);
});

const KEY = "00112233445566778899aabbccddeeff";

/** Joins, and waits for the list of clients. */
async function joined() {
  const page = await join(browser, server.url, "alan");
  const count = people.length > 0 ? `${people.length + 1} are here` : "Only you are here";
  await page.locator("#subtitle", { hasText: count }).waitFor();
  return page;
}

/** Runs `act`, during which the page gets no list of clients. */
async function withoutLists(act) {
  held = [];
  await act();
  const messages = held;
  held = null;
  for (const message of messages) answers(...message);
}

function isHere(page, name) {
  return page.locator("#people .person:not(.away)", { has: page.locator(".name", { hasText: exactly(name) }) });
}

test("a person from whom anything arrives is shown as here at once", { skip }, async () => {
  const page = await joined();
  for (const [number, line] of [
    "all clients | broadcast | hello",
    "all clients | broadcast_not_me | hello",
    "alan | private_message | hello",
    "alan | list_files | no data",
    "alan | list_files | a.txt",
    "alan | publish | rtsp://h:1/7f3a?key=0 a.mp3",
    "alan | play | cannot: a.mp3: no",
    `alan | play | rtsp://h:1/7f3a?key=${KEY} - a.mp3`,
    "alan | dance | tango",
  ].entries()) {
    const name = `bob ${number}`;
    await withoutLists(async () => {
      // A conversation with a person who is not here.
      await say(page, `/msg ${JSON.stringify(name)} hello`);
      await page.locator("#people .person.away", { hasText: name }).waitFor();
      socket.send(`${name} | ${line}`);
      await isHere(page, name).waitFor();
      people.push(name);
    });
  }
  await leave(page);
});

test("a person of whom the server says that it left is shown as gone at once", { skip }, async () => {
  people = ["ana", "bob", "carl", "dora", "eva"];
  const page = await joined();
  for (const [name, line] of [
    ["ana", "stop | ana: a.mp3 ended: ana has left"],
    ["bob", "play | bob: a.mp3 does not play: bob has left"],
    ["carl", "kick | carl was disconnected"],
    ["dora", "ban | dora is banned for good by alan: being rude (1 session ended); that is a name"],
  ]) {
    await withoutLists(async () => {
      socket.send(`server | alan | ${line}`);
      await person(page, name).waitFor({ state: "detached" });
      people = people.filter((one) => one !== name);
    });
  }
  await withoutLists(async () => {
    // These do not say that anybody left.
    socket.send("server | alan | stop | dora: eva has left ended");
    socket.send("server | alan | stop | dora: a.mp3 ended: eva has left");
    socket.send("eva | alan | private_message | eva: a.mp3 ended: eva has left");
    await isHere(page, "eva").locator(".badge").waitFor();
    await page.locator("#subtitle", { hasText: "2 are here" }).waitFor();
  });
  await leave(page);
});

test("of a person's last message and the list, the newer one is right", { skip }, async () => {
  people = ["bob"];
  const page = await joined();
  held = [];
  await say(page, "/list");
  socket.send("bob | all clients | broadcast | bye");
  await hears(page, "bye");
  // When this has come back, the server has the request for the list.
  await say(page, "hello");
  await hears(page, "hello");
  people = [];
  const messages = held;
  held = null;
  for (const message of messages) {
    answers(...message);
    if (message[1].operation === "list_clients") socket.send("eva | all clients | broadcast | hi");
  }
  await hears(page, "2 are here: alan, eva");
  await person(page, "bob").waitFor({ state: "detached" });
  await leave(page);
});
