// Tests what the list of conversations and people shows. The tests simulate the server.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";

import { CHROMIUM, choose, hears, join, launch, leave, leaveAll, person, say } from "./browser.js";
import { answering, greet, servePage } from "./page-server.js";

const skip = CHROMIUM ? false : "no chromium";
let browser;
let server;
let socket;
let people = [];

before(async () => {
  if (skip) return;
  browser = await launch();
  const answers = answering(
    () => people,
    (client, { destination, operation }) => {
      if (operation !== "private_message" || people.includes(destination)) return false;
      client.send(`server | ${client.name} | private_message | Destination client (${destination}) not found!`);
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
  people = [];
});
after(async () => {
  await browser?.close();
  await server?.close();
});

test("the divider is above the first of the messages that the badge counts", { skip }, async () => {
  const page = await join(browser, server.url, "alan");
  for (const text of ["one", "two", "three"]) await say(page, `/msg ghost ${text}`);
  await person(page, "ghost").locator(".badge").filter({ hasText: "3 unread" }).waitFor();
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
