// Tests names like the title of the conversation with everyone, invalid language tags, and input methods. The tests
// simulate the server.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";

import { CHROMIUM, choose, hears, isAccessible, join, launch, leave, leaveAll, person, receives, say, visit } from "./browser.js";
import { answering, greet, servePage } from "./page-server.js";

const skip = CHROMIUM ? false : "no chromium";
let browser;
let server;
let socket;
let people = [];
let said = [];

before(async () => {
  if (skip) return;
  browser = await launch();
  const answers = answering(() => people);
  server = await servePage((client) => {
    socket = client;
    greet(client, (from, fields, line) => {
      if (["broadcast", "private_message", "list_files", "play"].includes(fields.operation)) {
        said.push(line);
      }
      answers(from, fields, line);
    });
  });
});
afterEach(async () => {
  await leaveAll();
  people = [];
  said = [];
});
after(async () => {
  await browser?.close();
  await server?.close();
});

for (const [locale, room, name] of [
  ["en-GB", "Everyone", "Everyone"],
  ["en-GB", "Everyone", "Todos"],
  ["pt-BR", "Todos", "todos"],
]) {
  test(`a person called ${name} is not taken for the room, ${room}`, { skip }, async () => {
    people = [name];
    const page = await join(browser, server.url, "alan", { locale });
    const rows = page.locator("#people .person");
    await page.waitForFunction(() => document.querySelectorAll("#people .person").length === 3);
    const texts = await rows.evaluateAll((all) => all.map((row) => row.textContent));
    assert.equal(new Set(texts.map((text) => text.toLowerCase())).size, texts.length, texts.join());
    const looks = async () => ({
      title: await page.title(),
      heading: await page.locator("#title").getAttribute("class"),
      subtitle: await page.locator("#subtitle").textContent(),
      placeholder: (await page.locator("#text").getAttribute("placeholder")).replace(/[\u2068\u2069]/g, "").toLowerCase(),
      log: (await page.locator("#log").getAttribute("aria-label")).replace(/[\u2068\u2069]/g, "").toLowerCase(),
    });
    const ofRoom = await looks();
    await rows.filter({ hasText: locale === "pt-BR" ? "uma pessoa" : "a person" }).click();
    await page.waitForFunction((title) => document.title !== title, ofRoom.title);
    const ofPerson = await looks();
    for (const [what, text] of Object.entries(ofRoom)) assert.notEqual(ofPerson[what], text, what);
    assert.ok(ofPerson.title.startsWith("@") && !ofRoom.title.startsWith("@"));
    assert.ok(/^(private|particular) · /.test(ofPerson.subtitle), ofPerson.subtitle);
    await isAccessible(page, "a person called like the room");
    await say(page, "for you alone");
    await hears(page, "for you alone");
    await receives(said, [`alan | ${name} | private_message | for you alone`]);
    await leave(page);
  });
}

for (const languages of [["C"], ["en_US"], ["en-US@posix"], ["C.UTF-8", "pt_BR.UTF-8"], [], ["constructor"], ["x".repeat(99)], [""]]) {
  test(`a browser whose languages are ${JSON.stringify(languages)}`, { skip }, async () => {
    const page = await visit(browser, "about:blank");
    await page.addInitScript((found) => {
      Object.defineProperty(navigator, "languages", { get: () => found });
      Object.defineProperty(navigator, "language", { get: () => found[0] });
    }, languages);
    page.problems = [];
    await page.goto(server.url);
    await page.locator("#name").fill("alan");
    await page.keyboard.press("Enter");
    await page.locator("#text").waitFor();
    await say(page, "hi");
    await hears(page, "hi");
    const language = languages.includes("pt_BR.UTF-8") ? "pt-BR" : "en";
    assert.equal(await page.locator("html").getAttribute("lang"), language);
    assert.deepEqual(page.problems.filter((problem) => !problem.startsWith("fetched")), []);
    await page.context().close();
  });
}

/** Begins a composition in the focused field. */
async function compose(page, text) {
  const session = await page.context().newCDPSession(page);
  await session.send("Input.imeSetComposition", { text, selectionStart: text.length, selectionEnd: text.length });
}

test("keys that end a composition do nothing else", { skip }, async () => {
  people = ["bob"];
  const page = await join(browser, server.url, "alan");
  await person(page, "bob").waitFor();
  const focused = () => page.evaluate(() => document.activeElement.id);
  await page.locator("#text").focus();
  await compose(page, "に");
  await page.keyboard.press("Escape");
  assert.equal(await focused(), "text");
  await compose(page, "に");
  await page.keyboard.press("Enter");
  assert.equal(await focused(), "text");
  await page.locator("#search").focus();
  await compose(page, "bob");
  await page.keyboard.press("Enter");
  await compose(page, "bob");
  await page.keyboard.press("ArrowDown");
  assert.equal(await focused(), "search");
  assert.equal(await page.locator("#title").textContent(), "Everyone");
  assert.deepEqual(said, []);
  // Without a composition, the keys have their usual effects.
  await page.locator("#text").focus();
  await page.keyboard.press("Escape");
  assert.equal(await focused(), "people");
  await leave(page);
});

test("text that is typed after a click on a button is part of the message", { skip }, async () => {
  people = ["bob"];
  const page = await join(browser, server.url, "alan");
  await choose(page, "bob");
  await page.locator("#files").click();
  await page.keyboard.type("a word");
  assert.equal(await page.locator("#text").inputValue(), "a word");
  await page.keyboard.press("Enter");
  await receives(said, ["alan | bob | list_files | no data", "alan | bob | private_message | a word"]);
  // Shortcuts and keys that scroll do not begin a message.
  await page.locator("#log").focus();
  await page.keyboard.press("Control+c");
  await page.keyboard.press("PageUp");
  assert.equal(await page.evaluate(() => document.activeElement.id), "log");
  await leave(page);
});

test("a file that was requested is not requested again by a second press", { skip }, async () => {
  people = ["bob"];
  const page = await join(browser, server.url, "alan");
  await choose(page, "bob");
  socket.send("bob | alan | list_files | 1 file: a.wav (100 bytes, 2:00, audio/wav)");
  const button = page.locator("#entries .listen");
  await button.click();
  await button.press("Enter");
  await button.press(" ");
  await say(page, "done");
  await receives(said, ["alan | bob | play | a.wav", "alan | bob | private_message | done"]);
  socket.send("bob | alan | play | cannot: a.wav: not now");
  await page.getByText("bob does not play a.wav: not now").waitFor();
  await button.click();
  await receives(said, ["alan | bob | play | a.wav", "alan | bob | private_message | done", "alan | bob | play | a.wav"]);
  await leave(page);
});

test("on a phone the pane stays while something is composed", { skip }, async () => {
  const page = await join(browser, server.url, "alan", { viewport: { width: 390, height: 844 } });
  await page.locator("#text").focus();
  await compose(page, "に");
  await page.keyboard.press("Escape");
  assert.equal(await page.locator("#chat").getAttribute("data-pane"), "talk");
  await leave(page);
});

test("joiners are left where spelling needs them, and marked elsewhere", { skip }, async () => {
  const page = await join(browser, server.url, "alan");
  const scotland = "\u{1f3f4}\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}";
  for (const [text, shown = text] of [
    ["👩‍👩‍👧 👩🏽‍🚀 🏳️‍🌈 ❤️‍🔥"],
    [`${scotland} flag`],
    ["می‌خواهم علی‌رضا مَ‌ن"],
    ["क्‍ष ന്‍ ශ්‍රී"],
    ["a\u200db", "aU+200Db"],
    ["👩\u200d!", "👩U+200D!"],
    ["👩\u200c👩", "👩U+200C👩"],
    ["👩\u200d\u200d👩", "👩U+200DU+200D👩"],
    ["a\u{e0067}\u{e0062}", "aU+E0067U+E0062"],
    ["\u{1f3f4}\u{e0067}\u{e0062}", "🏴U+E0067U+E0062"],
  ]) {
    socket.send(`bob | all clients | broadcast | ${text}`);
    await hears(page, shown);
  }
  await leave(page);
});
