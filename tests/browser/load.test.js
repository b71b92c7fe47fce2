// Tests the page with many users, floods, accounts, cuts and ends of the server. The tests simulate the server.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";

import {
  CHROMIUM,
  DEADLINE,
  exactly,
  hears,
  isAccessible,
  join,
  launch,
  leave,
  leaveAll,
  person,
  say,
  visit,
} from "./browser.js";
import { answering, greet, servePage } from "./page-server.js";

const skip = CHROMIUM ? false : "no chromium";
let browser;
let server;
/** Handles a line at the running test's server: (socket, fields, line). */
let answers;
let sockets = [];

before(async () => {
  if (skip) return;
  browser = await launch();
  server = await servePage((socket) => {
    sockets.push(socket);
    greet(socket, (...message) => answers(...message));
  });
});
afterEach(async () => {
  // A test that failed left its trace running.
  await browser?.stopTracing().catch(() => {});
  await leaveAll();
  sockets = [];
});
after(async () => {
  await browser?.close();
  await server?.close();
});

/** Makes the server answer as one with these people; see `answering`. */
function serving(people, more) {
  answers = answering(people, more);
}

const crowd = Array.from({ length: 5_000 }, (_, number) => `person ${number}`);
const elements = (page) => page.evaluate(() => document.querySelectorAll("*").length);
/**
 * Starts to trace the browser. Returns a function that ends the trace and returns the longest task of a page's main
 * thread in milliseconds of processor time, which does not depend on the load of the machine.
 */
async function traceTasks(page) {
  await browser.startTracing(page, { categories: ["toplevel", "__metadata"] });
  return async () => {
    const { traceEvents } = JSON.parse((await browser.stopTracing()).toString());
    const thread = ({ pid, tid }) => `${pid} ${tid}`;
    const pages = new Set(
      traceEvents.filter(({ name, args }) => name === "thread_name" && args.name === "CrRendererMain").map(thread),
    );
    const tasks = traceEvents.filter(
      (event) => event.name === "ThreadControllerImpl::RunTask" && event.tdur !== undefined && pages.has(thread(event)),
    );
    assert.notEqual(tasks.length, 0, "the trace has no tasks of a page");
    return tasks.reduce((longest, { tdur }) => Math.max(longest, tdur / 1_000), 0);
  };
}

test("5,000 people: few elements, found by search, gone when they leave", { skip }, async (t) => {
  serving(() => crowd);
  const page = await visit(browser, server.url);
  const longestTask = await traceTasks(page);
  await page.locator("#name").fill("alan");
  await page.keyboard.press("Enter");
  await page.locator("#subtitle", { hasText: "5,001 are here" }).waitFor();
  assert.ok((await page.locator("#people > *").count()) < 50);
  await page.locator("#people").focus();
  await page.keyboard.press("End");
  await person(page, "person 4999").waitFor();
  assert.equal(await person(page, "person 4999").getAttribute("aria-posinset"), "5002");
  await page.locator("#search").fill("son 3141");
  await person(page, "person 3141").click();
  await page.locator("#title", { hasText: "person 3141" }).waitFor();
  await page.locator("#search").fill("nobody has this");
  await page.locator("#nobody", { hasText: "Nobody has a name like that." }).waitFor();
  assert.ok((await elements(page)) < 300);
  await page.locator("#search").fill("");
  for (let first = 10; first < crowd.length; first += 50) {
    sockets[0].send(`server | all clients | left | ${crowd.slice(first, first + 50).join(" , ")}`);
  }
  await page.locator("#subtitle", { hasText: "not here" }).waitFor();
  const longest = await longestTask();
  t.diagnostic(`longest task: ${Math.round(longest)} ms of processor time`);
  assert.ok(longest < 1_000, `longest task: ${longest} ms`);
  await isAccessible(page, "after a crowd");
  await leave(page);
});

test("10,000 messages in one burst: bounded elements, the last in view, the first still there", { skip }, async (t) => {
  serving(() => crowd.slice(0, 50));
  const page = await join(browser, server.url, "alan");
  const longestTask = await traceTasks(page);
  const [socket] = sockets;
  for (let count = 0; count < 10_000; count += 1) {
    socket.send(`person ${count % 50} | all clients | broadcast | message ${count} ${"words ".repeat(count % 40)}`);
  }
  socket.send("person 1 | all clients | broadcast | the last one");
  const last = await hears(page, "the last one", 3 * DEADLINE);
  assert.equal(await isInView(last), true);
  assert.equal(await page.locator("#entries > .row").count(), 200);
  assert.ok((await elements(page)) < 3_000);
  const longest = await longestTask();
  t.diagnostic(`longest task: ${Math.round(longest)} ms of processor time`);
  assert.ok(longest < 1_000, `longest task: ${longest} ms`);
  // The user can still type and send during the flood.
  await say(page, "still alive");
  assert.equal(await isInView(await hears(page, "still alive")), true);
  // Scrolls up to the first message, one screen at a time.
  await page.locator("#log").focus();
  const until = Date.now() + 3 * DEADLINE;
  const first = () => page.evaluate(() => document.querySelector("#entries .text").textContent);
  while (!(await first()).startsWith("message 0 ")) {
    assert.ok(Date.now() < until, await first());
    await page.evaluate(() => {
      const log = document.querySelector("#log");
      log.scrollTop = 0;
      return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    });
    assert.ok((await page.locator("#entries > .row").count()) <= 200);
  }
  // The row at the top stays in place when a new message arrives.
  await page.evaluate(() => (document.querySelector("#log").scrollTop = 0));
  const before = await top(page.locator("#entries > .row").first());
  socket.send("person 1 | all clients | broadcast | one more");
  await page.locator("#latest", { hasText: "1 new below" }).waitFor();
  assert.equal(await top(page.locator("#entries > .row").first()), before);
  await page.locator("#latest").click();
  assert.equal(await isInView(await hears(page, "one more")), true);
  await leave(page);
});

async function top(row) {
  return (await row.boundingBox()).y;
}

/** Whether a row is in view once the page is drawn: its log's size may have changed since the last frame. */
async function isInView(row) {
  return row.evaluate(
    (node) =>
      new Promise((done) => {
        const look = () => {
          const { top, bottom } = node.getBoundingClientRect();
          const log = document.querySelector("#log").getBoundingClientRect();
          done(top >= log.top && bottom <= log.bottom + 1);
        };
        requestAnimationFrame(() => requestAnimationFrame(look));
      }),
  );
}

test("private messages from 5,000 people are 5,000 conversations, and few elements", { skip }, async () => {
  serving(() => crowd);
  const page = await join(browser, server.url, "alan");
  for (const name of crowd) sockets[0].send(`${name} | alan | private_message | hi`);
  await page.waitForFunction(() => document.title.startsWith("(5000) "), undefined, { timeout: 2 * DEADLINE });
  assert.ok((await elements(page)) < 400);
  await person(page, "person 4999").click();
  await hears(page, "hi");
  await leave(page);
});

test("a name with an account: the password, wrong and right", { skip }, async () => {
  serving(
    () => [],
    (socket, { operation, data }) => {
      if (operation === "name") {
        socket.name = data;
        socket.send(`server | ${data} | password | no data`);
        return true;
      }
      if (operation !== "password" || data === "open | sesame") {
        if (operation === "password")
          socket.send(`server | ${socket.name} | connection_confirmation | You are now connected to the server`);
        return operation === "password";
      }
      socket.send(
        `server | ${socket.name} | error_message | That is not the password of ${socket.name}; 2 tries are left`,
      );
      socket.send(`server | ${socket.name} | password | no data`);
      return true;
    },
  );
  const page = await visit(browser, server.url);
  await page.getByLabel("Your name").fill("alan");
  await page.keyboard.press("Enter");
  const field = page.getByLabel("Password");
  await field.waitFor();
  await isAccessible(page, "password");
  await field.fill("wrong");
  await page.keyboard.press("Enter");
  await page.locator("#password-error", { hasText: "That is not the password of alan; 2 tries are left" }).waitFor();
  assert.equal(await field.inputValue(), "");
  await page.getByRole("button", { name: "Another name" }).click();
  await page.getByLabel("Your name").fill("alan");
  await page.keyboard.press("Enter");
  await field.fill("open | sesame");
  await page.keyboard.press("Enter");
  await page.locator("#text").waitFor();
  assert.equal((await page.content()).includes("sesame"), false);
  await leave(page);
});

test("a cut is said, what was not confirmed too, and the room is there again", { skip }, async () => {
  let isMute = false;
  serving(
    () => ["bob"],
    (socket, { operation }) => isMute && operation !== "name",
  );
  const page = await join(browser, server.url, "alan");
  await person(page, "bob").waitFor();
  isMute = true;
  await say(page, "on its way");
  await page.locator("#pending .text", { hasText: "on its way" }).waitFor();
  await page.locator("#text").fill("half a thought");
  const before = sockets.length;
  // While the server rejects connections, the page says so and when it tries again.
  const held = answers;
  answers = (socket) => socket.terminate();
  sockets[0].terminate();
  await page.locator("#banner-text", { hasText: "The connection was cut. Coming back as alan…" }).waitFor();
  await page.getByRole("button", { name: "Try now" }).click();
  await isAccessible(page, "cut");
  assert.equal(await (await hears(page, "on its way")).locator(".tag.bad").textContent(), "not confirmed");
  await page.locator("#text").press("Enter");
  await page.locator("#complaint", { hasText: "Not connected. What you typed stays here." }).waitFor();
  assert.equal(await page.locator("#text").inputValue(), "half a thought");
  isMute = false;
  answers = held;
  await hears(page, "Connected again as alan. Messages sent meanwhile by others are not kept by the server.");
  assert.equal(await page.locator("#banner").isVisible(), false);
  assert.ok(sockets.length > before);
  await page.locator("#text").press("Enter");
  await hears(page, "half a thought");
  page.problems = page.problems.filter((problem) => !/^WebSocket connection to .* failed/.test(problem));
  await leave(page);
});

test("the old connection still holds the name after a cut: said, and tried again", { skip }, async () => {
  let taken = 0;
  serving(
    () => [],
    (socket, { operation, data }) => {
      if (operation !== "name" || taken === 0) return false;
      taken -= 1;
      socket.send(
        `server | new_client: ${data} | connection_error | This username is already taken. You need to connect again and use another one`,
      );
      socket.close();
      return true;
    },
  );
  const page = await join(browser, server.url, "alan");
  taken = 2;
  sockets[0].terminate();
  await page.locator("#banner-text", { hasText: "The old one still holds the name alan; trying again…" }).waitFor();
  await hears(page, "Connected again as alan. Messages sent meanwhile by others are not kept by the server.");
  await leave(page);
});

test("closing is refused in place; when the server closes, nobody comes back by himself", { skip }, async () => {
  const why = "Only someone connected from the server's own machine may close it";
  serving(
    () => [],
    (socket, { operation }) => {
      if (operation !== "close_server") return false;
      socket.send(`server | alan | error_message | ${why}`);
      return true;
    },
  );
  const page = await join(browser, server.url, "alan");
  await page.getByRole("button", { name: "Close the server…" }).click();
  await page.getByRole("button", { name: "Close the server", exact: true }).click();
  await page.locator("#close-error", { hasText: why }).waitFor();
  await isAccessible(page, "closing refused");
  await page.keyboard.press("Escape");
  sockets[0].send("server | all clients | broadcast | server closed");
  sockets[0].close();
  await page.locator("#banner-text", { hasText: exactly("The server was closed.") }).waitFor();
  await isAccessible(page, "closed");
  assert.equal(sockets.length, 1);
  const held = answers;
  answers = (socket) => socket.terminate();
  await page.getByRole("button", { name: "Connect again" }).click();
  await page
    .locator("#banner-text", { hasText: "No server answers at this address. Try again in a moment." })
    .waitFor();
  answers = held;
  await page.getByRole("button", { name: "Connect again" }).click();
  await page.locator("#banner").waitFor({ state: "hidden" });
  await say(page, "here again");
  await hears(page, "here again");
  await leave(page);
});

test("sent away by an operator: why, and no coming back by itself", { skip }, async () => {
  serving(() => []);
  const page = await join(browser, server.url, "alan");
  sockets[0].send("server | alan | error_message | You were disconnected by eve: being rude");
  sockets[0].close();
  await page
    .locator("#banner-text", { hasText: "The server ended the connection: You were disconnected by eve: being rude" })
    .waitFor();
  assert.equal(sockets.length, 1);
  await leave(page);
});

test("frames that are no messages, and hostile lists, do no harm", { skip }, async () => {
  serving(() => [`<img src=x onerror=x=1>`, "\u202e\u0000x", ""]);
  const page = await join(browser, server.url, "alan");
  for (const frame of [
    "",
    "|||",
    "a | b",
    Buffer.from([1, 2, 3]),
    "server | alan | watch | ",
    "server | alan | watch | clients connected, 9 to 8 of 1: x",
    "server | alan | watch | clients connected, 1 to 1 of 999999999999: x",
    "x".repeat(100_000),
  ])
    sockets[0].send(frame);
  sockets[0].send("server | alan | kick | <b>bob</b> was disconnected");
  await hears(page, "<b>bob</b> was disconnected");
  await person(page, "<img src=x onerror=x=1>").waitFor();
  await say(page, "still here");
  await hears(page, "still here");
  assert.equal(await page.evaluate(() => "x" in window), false);
  await leave(page);
});
