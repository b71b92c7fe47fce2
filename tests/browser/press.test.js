// Tests that a click acts on the row or button that was pressed, even if the page moves between press and release. The
// tests simulate the server.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";

import { CHROMIUM, exactly, join, launch, leave, leaveAll, person, receives, say } from "./browser.js";
import { answering, greet, servePage } from "./page-server.js";

const skip = CHROMIUM ? false : "no chromium";
const TOUCH = { hasTouch: true };
const students = Array.from({ length: 60 }, (_, number) => `Student ${String(number).padStart(2, "0")}`);
let browser;
let server;
let sockets = [];
/** Lines that the page sent, except requests for lists, and marks. */
let said = [];
let people = students;
/** The titles of the streams that the server lists. */
let streams = [];

before(async () => {
  if (skip) return;
  browser = await launch();
  const answers = answering(
    () => people,
    (socket, { operation }) => {
      if (operation !== "list_streams") return false;
      for (const title of streams) socket.send(`server | ${socket.name} | list_streams | ${title}, 0 listening, 0:01`);
      return streams.length > 0;
    },
  );
  server = await servePage((socket) => {
    sockets.push(socket);
    greet(socket, (client, fields, line) => {
      if (["private_message", "play"].includes(fields.operation)) said.push(line);
      answers(client, fields, line);
    });
  });
});
afterEach(async () => {
  await leaveAll();
  sockets = [];
  said = [];
  people = students;
  streams = [];
});
after(async () => {
  await browser?.close();
  await server?.close();
});

/** Joins, and scrolls the list with the wheel. */
async function scrolled(options, search = "") {
  const page = await join(browser, server.url, "alan", options);
  await page.locator("#subtitle", { hasText: "61 are here" }).waitFor();
  await page.locator("#search").fill(search);
  const { x, y } = await page.locator("#people-scroll").boundingBox();
  await page.mouse.move(x + 50, y + 50);
  await page.mouse.wheel(0, 480);
  await page.waitForFunction(() => document.querySelector("#people-scroll").scrollTop === 480);
  await twoFrames(page);
  // With the pointer outside the list, rows may move at once.
  await page.mouse.move(x + 600, y + 50);
  return page;
}

function twoFrames(page) {
  return page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
}

/** A point on a visible element, a third of its width from the left and at half its height. */
async function middle(locator) {
  const { x, y, width, height } = await locator.boundingBox();
  return { x: x + width / 3, y: y + height / 2 };
}

/** The name in a visible row that is not the first or last. */
async function aName(page) {
  return page.evaluate(() => {
    const scroller = document.querySelector("#people-scroll").getBoundingClientRect();
    const rows = [...document.querySelectorAll("#people .person")]
      .map((row) => ({ top: row.getBoundingClientRect().top, name: row.querySelector(".name").textContent }))
      .sort((one, other) => one.top - other.top)
      .filter(({ top }) => top > scroller.top + 80);
    return rows[3].name;
  });
}

/** Tells the page that these people have joined. */
async function arrive(page, names) {
  people = [...people, ...names];
  sockets[0].send(`server | all clients | joined | ${names.join(" , ")}`);
  await page.locator("#subtitle", { hasText: `${people.length + 1} are here` }).waitFor();
  // The list shows them once the pointer has rested.
  await page.waitForFunction(
    (count) => Number(document.querySelector("#people .person").getAttribute("aria-setsize")) === count,
    people.length + 2,
  );
}

async function reaches(page, name) {
  await page.locator("#title", { hasText: exactly(name) }).waitFor();
  await say(page, "for you");
  await page.locator("#entries .text", { hasText: exactly("for you") }).waitFor();
  await receives(said, [`alan | ${name} | private_message | for you`]);
  await leave(page);
}

for (const search of ["", "student"]) {
  const where = search === "" ? "the list" : "search results";
  test(`a scrolled row in ${where} is chosen by mouse`, { skip }, async () => {
    const page = await scrolled({}, search);
    const name = await aName(page);
    const { x, y } = await middle(person(page, name));
    await page.mouse.move(x, y);
    await page.mouse.down();
    await page.mouse.up();
    await reaches(page, name);
  });

  test(`a scrolled row in ${where} is chosen by touch`, { skip }, async () => {
    const page = await scrolled(TOUCH, search);
    const name = await aName(page);
    const { x, y } = await middle(person(page, name));
    await page.touchscreen.tap(x, y);
    await reaches(page, name);
  });
}

const CHANGES = {
  "others arrive above it": (page) => arrive(page, ["Aaron", "Abel", "Ada"]),
  "others leave above it": async (page) => {
    sockets[0].send(`server | all clients | left | ${people.slice(0, 5).join(" , ")}`);
    people = people.slice(5);
    await page.waitForFunction(() => document.querySelector("#people .person")?.getAttribute("aria-setsize") === "57");
  },
  "a conversation begins above it": async (page) => {
    sockets[0].send("Student 59 | alan | private_message | psst");
    await page.waitForFunction(() => document.title.startsWith("(1) "));
    await page.waitForFunction(() => document.querySelector("#people .person")?.getAttribute("aria-setsize") === "62");
  },
  "its row is exchanged": (page) =>
    page.evaluate(() => {
      for (const row of document.querySelectorAll("#people .person")) row.remove();
    }),
};

/** Presses at a point, waits for `meanwhile`, and releases. */
async function pressAndRelease(page, { x, y }, isTouch, meanwhile) {
  if (isTouch) {
    const session = await page.context().newCDPSession(page);
    const touch = (type, touchPoints) => session.send("Input.dispatchTouchEvent", { type, touchPoints });
    await touch("touchStart", [{ x, y }]);
    await meanwhile();
    await touch("touchEnd", []);
  } else {
    await page.mouse.move(x, y);
    await page.mouse.down();
    await meanwhile();
    await page.mouse.up();
  }
}

for (const [what, change] of Object.entries(CHANGES)) {
  for (const isTouch of [false, true]) {
    test(`the row that was pressed by ${isTouch ? "touch" : "mouse"} is chosen though ${what}`, { skip }, async () => {
      const page = await join(browser, server.url, "alan", isTouch ? TOUCH : {});
      await page.locator("#subtitle", { hasText: "61 are here" }).waitFor();
      const name = "Student 08";
      await pressAndRelease(page, await middle(person(page, name)), isTouch, () => change(page));
      await reaches(page, name);
    });
  }
}

test("a press that is dragged away chooses nothing", { skip }, async () => {
  const page = await join(browser, server.url, "alan");
  await person(page, "Student 08").waitFor();
  const { x, y } = await middle(person(page, "Student 08"));
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x, y + 90);
  await page.mouse.up();
  await twoFrames(page);
  assert.equal(await page.locator("#title").textContent(), "Everyone");
  await person(page, "Student 09").click();
  await reaches(page, "Student 09");
});

test("rows stay in place while the mouse moves over them", { skip }, async () => {
  const page = await join(browser, server.url, "alan");
  await person(page, "Student 08").waitFor();
  const { x, y } = await middle(person(page, "Student 08"));
  await page.mouse.move(x, y);
  sockets[0].send("server | all clients | joined | Aaron");
  await page.locator("#subtitle", { hasText: "62 are here" }).waitFor();
  await page.mouse.move(x + 1, y);
  await page.mouse.down();
  await page.mouse.up();
  await reaches(page, "Student 08");
});

for (const isTouch of [false, true]) {
  test(`the stream that was pressed by ${isTouch ? "touch" : "mouse"} is asked for`, { skip }, async () => {
    streams = ["Student 01: a.mp3", "Student 02: b.mp3", "Student 03: c.mp3"];
    const page = await join(browser, server.url, "alan", isTouch ? TOUCH : {});
    const button = page.getByRole("button", { name: /b\.mp3/ });
    await button.waitFor();
    const place = await middle(button);
    await pressAndRelease(page, place, isTouch, async () => {
      // The section's upper edge moves when its height changes.
      streams = streams.slice(0, 2);
      await page.getByRole("button", { name: /c\.mp3/ }).waitFor({ state: "detached" });
    });
    await page.locator("#title", { hasText: "Everyone" }).waitFor();
    await person(page, "Student 02").first().waitFor();
    await twoFrames(page);
    await receives(said, ["alan | Student 02 | play | b.mp3"]);
    await leave(page);
  });
}

test("the row that the keyboard has reached is chosen though others arrive", { skip }, async () => {
  const page = await join(browser, server.url, "alan");
  await page.locator("#subtitle", { hasText: "61 are here" }).waitFor();
  await page.locator("#people").focus();
  for (let count = 0; count < 4; count += 1) await page.keyboard.press("ArrowDown");
  const name = await page.locator("#people .person.active .name").textContent();
  await arrive(page, ["Aaron", "Abel"]);
  await page.keyboard.press("Enter");
  await reaches(page, name);
});

test("Enter in the search field chooses the row that is marked though somebody arrives above it", { skip }, async () => {
  const page = await join(browser, server.url, "alan");
  await page.locator("#subtitle", { hasText: "61 are here" }).waitFor();
  await page.locator("#search").focus();
  await page.keyboard.type("student 1");
  await page.locator("#people .person.active .name", { hasText: "Student 10" }).waitFor();
  sockets[0].send("server | all clients | joined | A student 1");
  await person(page, "A student 1").waitFor();
  await page.keyboard.press("Enter");
  await reaches(page, "Student 10");
});
