// Tests how long names are shown. The tests simulate the server.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";

import { CHROMIUM, DESKTOP, PHONE, hears, isAccessible, join, launch, leave, leaveAll, person } from "./browser.js";
import { answering, greet, servePage } from "./page-server.js";

const skip = CHROMIUM ? false : "no chromium";
let browser;
let server;
let socket;
let people = [];

before(async () => {
  if (skip) return;
  browser = await launch();
  const answers = answering(() => people);
  server = await servePage((client) => {
    socket = client;
    greet(client, answers);
  });
});
afterEach(leaveAll);
after(async () => {
  await browser?.close();
  await server?.close();
});

const ASTRONAUT = "👩🏽\u200d🚀";
const NAMES = [
  ["Maria Aparecida dos Santos Lima", "Maria Aparecida dos Santos Leal"],
  [`${"W".repeat(31)}1`, `${"W".repeat(31)}2`],
  [`${ASTRONAUT.repeat(7)}1`, `${ASTRONAUT.repeat(7)}2`],
  ["محمد الشريف الأندلسي عبد الرحمن", "محمد الشريف الأندلسي عبد الرحيم"],
];

for (const [where, options] of [["desktop", DESKTOP], ["phone", PHONE]]) {
  test(`long names with the same beginning look different: ${where}`, { skip }, async () => {
    people = NAMES.flat();
    const page = await join(browser, server.url, "alan", options);
    for (const name of people) {
      socket.send(`${name} | all clients | broadcast | hello from ${name}`);
      socket.send(`${name} | alan | private_message | psst`);
      const by = (await hears(page, `hello from ${name}`)).locator(".by");
      assert.equal(await by.textContent(), name);
      assert.equal(await by.getAttribute("title"), name);
      assert.equal(await by.evaluate((node) => node.scrollWidth <= node.clientWidth), true, name);
    }
    await isAccessible(page, "long names in the log");
    if (where === "phone") await page.locator("#back").click();
    for (const name of people) {
      await person(page, name).locator(".badge").waitFor();
      const shown = person(page, name).locator(".name");
      assert.equal(await shown.evaluate((node) => node.title || node.textContent), name);
      await page.getByRole("option", { name: `${name} 1 unread`, exact: true }).waitFor();
    }
    await page.mouse.move(0, 0);
    for (const pair of NAMES) {
      const [one, other] = await Promise.all(pair.map((name) => person(page, name).locator(".name").screenshot()));
      assert.equal(one.equals(other), false, pair.join());
    }
    await isAccessible(page, "long names in the list");
    await person(page, people[0]).click();
    await page.locator("#title", { hasText: people[0] }).waitFor();
    await leave(page);
  });
}
