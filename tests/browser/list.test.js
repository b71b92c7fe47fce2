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
