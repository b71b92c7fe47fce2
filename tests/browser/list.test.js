// Tests what the list of conversations and people shows. The tests simulate the server.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";

import { CHROMIUM, choose, exactly, hears, join, launch, leave, leaveAll, person, say } from "./browser.js";
import { answering, greet, parts, servePage } from "./page-server.js";

const skip = CHROMIUM ? false : "no chromium";
let browser;
let server;
let socket;
let answers;
let people = [];
/** Number of requests for the list of clients. */
let requests = 0;

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
      if (["list_clients", "watch"].includes(message[1].operation)) requests += 1;
      answers(...message);
    });
  });
});
afterEach(async () => {
  await leaveAll();
  people = [];
  requests = 0;
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

/** Joins, and waits for the list of clients. */
async function joined() {
  const page = await join(browser, server.url, "alan");
  const count = people.length > 0 ? `${people.length + 1} are here` : "Only you are here";
  await page.locator("#subtitle", { hasText: count }).waitFor();
  return page;
}

function isHere(page, name) {
  return page.locator("#people .person:not(.away)", { has: page.locator(".name", { hasText: exactly(name) }) });
}

test("people who join and leave are shown at once, and no list is requested for it", { skip }, async () => {
  people = ["bob"];
  const page = await joined();
  // A conversation with a person who is not here.
  await say(page, "/msg eva hello");
  await page.locator("#people .person.away", { hasText: "eva" }).waitFor();
  socket.send("server | all clients | joined | eva , carl");
  await isHere(page, "eva").waitFor();
  await isHere(page, "carl").waitFor();
  await page.locator("#subtitle", { hasText: "4 are here" }).waitFor();
  socket.send("server | all clients | left | bob , eva");
  await person(page, "bob").waitFor({ state: "detached" });
  await page.locator("#people .person.away", { hasText: "eva" }).waitFor();
  // Names can have any form, and only the server tells who comes and goes.
  socket.send("eva | all clients | left | carl");
  socket.send("server | all clients | left | CARL");
  await person(page, "carl").waitFor({ state: "detached" });
  await page.locator("#subtitle", { hasText: "Only you are here" }).waitFor();
  assert.equal(requests, 1);
  await leave(page);
});

test("a list that the server sends in place of changes replaces the names", { skip }, async () => {
  people = ["bob"];
  const page = await joined();
  const names = ["alan", ...Array.from({ length: 200 }, (_, number) => `person ${number}`)];
  const messages = parts("alan", names);
  assert.ok(messages.length > 2);
  for (const message of messages) socket.send(message);
  await page.locator("#subtitle", { hasText: "201 are here" }).waitFor();
  await person(page, "bob").waitFor({ state: "detached" });
  await leave(page);
});

test("/list and /watch show who is here", { skip }, async () => {
  people = ["bob"];
  const page = await joined();
  people = ["eva"];
  await say(page, "/list");
  await hears(page, "2 are here: alan, eva");
  await person(page, "bob").waitFor({ state: "detached" });
  people = ["rui"];
  await say(page, "/watch");
  await hears(page, "2 are here: alan, rui");
  await say(page, "/unwatch");
  await page.locator("#complaint", { hasText: "This page always shows who joins and leaves" }).waitFor();
  await leave(page);
});
