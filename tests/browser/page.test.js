// Tests the page with a real server, as a user would use it. ARAUTO_URL is the page's address and ARAUTO_TCP the port
// for netcat; without them, these tests are skipped. ARAUTO_RESTART is a command that kills the server, starts it again
// at the same addresses and returns when it listens. With ARAUTO_CLOSE=1, the last test closes the server.
// ARAUTO_PICTURES is a folder for pictures of the page.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, afterEach, before, test } from "node:test";
import { promisify } from "node:util";

import {
  CHROMIUM,
  Friend,
  PHONE,
  choose,
  exactly,
  hears,
  isAccessible,
  join,
  launch,
  leave,
  leaveAll,
  person,
  program,
  say,
  visit,
} from "./browser.js";
import { takePictures } from "./pictures.js";

const {
  ARAUTO_URL: url,
  ARAUTO_TCP: port,
  ARAUTO_RESTART: restart,
  ARAUTO_CLOSE: mayClose,
  ARAUTO_PICTURES: folder,
} = process.env;
const skip = !url || !port ? "no ARAUTO_URL and ARAUTO_TCP" : !CHROMIUM || !program("nc") ? "no chromium or nc" : false;
let browser;

before(async () => {
  if (!skip) browser = await launch();
});
afterEach(leaveAll);
after(() => browser?.close());

test("two pages and netcat talk with everyone", { skip }, async () => {
  const nc = await Friend.enter(port, "nina");
  const ana = await join(browser, url, "ana");
  const bob = await join(browser, url, "bob");
  await say(ana, "hello from a page");
  await nc.hears("ana | all clients | broadcast | hello from a page");
  await hears(bob, "hello from a page");
  nc.type("/all hello from netcat");
  for (const page of [ana, bob]) {
    const row = await hears(page, "hello from netcat");
    assert.equal(await row.locator(".by").textContent(), "nina");
  }
  assert.equal(await (await hears(ana, "hello from a page")).getAttribute("class"), "row said mine");
  assert.equal(await ana.locator("#pending > *").count(), 0);
  for (const name of ["ana", "bob", "nina"]) await person(ana, name).waitFor();
  await nc.leave();
  await leave(ana);
  await leave(bob);
});

test("why a name is refused stands beside it, and another can be given", { skip }, async () => {
  const ana = await join(browser, url, "ana");
  const page = await visit(browser, url);
  assert.equal(await page.locator("#name").evaluate((field) => field === document.activeElement), true);
  for (const [name, why] of [
    [" ", "Type a name first."],
    ["ana", "This username is already taken"],
    ["ANA", "This username is already taken"],
    ["аna", "аna has Cyrillic а; it looks like ana, who is here"],
    ["server", "The name server is reserved"],
    ["a|b", "A name must not hold the character | because it separates fields or names"],
    ["a\u202eb", "A name must not hold control or invisible characters: character 2 is U+202E"],
    ["x".repeat(33), "A name has at most 32 characters, and this one has 33"],
    ["é".repeat(600), "A name has at most 32 characters, and this one has 200"],
  ]) {
    await page.locator("#name").fill(name);
    await page.keyboard.press("Enter");
    await page.locator("#name-error", { hasText: exactly(why) }).waitFor();
    assert.equal(await page.locator("#name").getAttribute("aria-invalid"), "true");
    assert.equal(await page.locator("#name").evaluate((field) => field === document.activeElement), true);
  }
  await isAccessible(page, "a name refused");
  await page.locator("#name").fill("another");
  await page.keyboard.press("Enter");
  await page.locator("#text").waitFor();
  await page.locator("#me", { hasText: "another" }).waitFor();
  await leave(page);
  await leave(ana);
});

test("a conversation with one person; unread marks, also in the title", { skip }, async () => {
  const nc = await Friend.enter(port, "nina");
  const ana = await join(browser, url, "ana");
  nc.type("/msg ana psst");
  nc.type("/msg ana are you there?");
  await person(ana, "nina").locator(".badge").filter({ hasText: "2 unread" }).waitFor();
  await ana.waitForFunction(() => document.title.startsWith("(2) "));
  await choose(ana, "nina");
  const row = await hears(ana, "psst");
  assert.equal(await row.locator(".divider.new").textContent(), "new");
  await ana.waitForFunction(() => !document.title.startsWith("("));
  await say(ana, "yes");
  await nc.hears("ana | nina | private_message | yes");
  nc.type("/all meanwhile");
  await person(ana, "Everyone").locator(".badge").filter({ hasText: "1 unread" }).waitFor();
  await choose(ana, "Everyone");
  await hears(ana, "meanwhile");
  assert.equal(await ana.getByText("psst").count(), 0);
  // In a background tab, a message in the open conversation is also unread.
  const hide = (isHidden) =>
    ana.evaluate((value) => {
      Object.defineProperty(document, "hidden", { configurable: true, get: () => value });
      document.dispatchEvent(new Event("visibilitychange"));
    }, isHidden);
  await hide(true);
  nc.type("/all while you were away");
  await ana.waitForFunction(() => document.title.startsWith("(1) "));
  await hide(false);
  await ana.waitForFunction(() => !document.title.startsWith("("));
  await (await hears(ana, "while you were away")).locator(".divider.new").waitFor();
  await choose(ana, "nina");
  await hears(ana, "psst");
  await nc.leave();
  await leave(ana);
});

test("all but me, echo to oneself, and a draft for each conversation", { skip }, async () => {
  const nc = await Friend.enter(port, "nina");
  const ana = await join(browser, url, "ana");
  await ana.getByLabel("All but me").check();
  await say(ana, "only others");
  await nc.hears("ana | all clients | broadcast_not_me | only others");
  assert.equal(await (await hears(ana, "only others")).locator(".tag").textContent(), "to all others");
  await ana.getByLabel("All but me").uncheck();
  nc.type("/others from nina");
  assert.equal(await (await hears(ana, "from nina")).locator(".tag").textContent(), "to all others");
  await ana.locator("#text").fill("half a thought");
  await choose(ana, "ana");
  await say(ana, "note to self");
  await hears(ana, "note to self");
  await choose(ana, "Everyone");
  assert.equal(await ana.locator("#text").inputValue(), "half a thought");
  await nc.leave();
  await leave(ana);
});

test("files of a person, and of a browser that has none", { skip }, async () => {
  const nc = await Friend.enter(port, "nina");
  const ana = await join(browser, url, "ana");
  await choose(ana, "nina");
  await ana.getByRole("button", { name: "Files" }).click();
  await nc.hears("ana | nina | list_files | no data");
  nc.type("nina | ana | list_files | song.mp3 , notes.txt");
  const row = await hears(ana, "song.mp3 , notes.txt");
  assert.equal(await row.locator(".label").textContent(), "Files of nina");
  nc.type("/files ana");
  await nc.hears("ana | nina | list_files | no folder is shared");
  await hears(ana, "nina asked for your files. A browser shares none, and your page said so.");
  await nc.leave();
  await leave(ana);
});

test("an error stands where it belongs, and what did not arrive can be edited again", { skip }, async () => {
  const nc = await Friend.enter(port, "nina");
  const ana = await join(browser, url, "ana");
  await choose(ana, "nina");
  await say(ana, "first");
  await nc.hears("ana | nina | private_message | first");
  await nc.exit();
  await say(ana, "second");
  await hears(ana, "Destination client (nina) not found!");
  await ana.locator("#subtitle", { hasText: "not here" }).waitFor();
  const row = await hears(ana, "second");
  assert.equal(await row.locator(".tag.bad").textContent(), "not delivered");
  assert.equal(await (await hears(ana, "first")).locator(".tag").count(), 0);
  await row.getByRole("button", { name: "Edit again" }).click();
  assert.equal(await ana.locator("#text").inputValue(), "second");
  await leave(ana);
});

test("what is too long is counted, kept and said", { skip }, async () => {
  const nc = await Friend.enter(port, "nina");
  const ana = await join(browser, url, "ana");
  const room = 1024 - Buffer.byteLength("ana | all clients | broadcast | ");
  const long = "é".repeat(room / 2);
  await ana.locator("#text").fill(`${long}x`);
  await ana.locator("#count", { hasText: "1,025 of 1,024 bytes" }).waitFor();
  await ana.locator("#text").press("Enter");
  await ana.locator("#complaint", { hasText: "Over the limit of 1,024 bytes by 1. Nothing was sent." }).waitFor();
  assert.equal(await ana.locator("#text").inputValue(), `${long}x`);
  await say(ana, long);
  await nc.hears(`ana | all clients | broadcast | ${long}`);
  await say(ana, "bad \u001b[31m");
  await ana.locator("#complaint", { hasText: "Character 5 is a control character (U+001B)" }).waitFor();
  await say(ana, "three\n\nlines\nat once");
  for (const line of ["three", "lines", "at once"]) await nc.hears(`ana | all clients | broadcast | ${line}`);
  assert.equal(await ana.locator("#text").inputValue(), "");
  await nc.leave();
  await leave(ana);
});

test("short forms are those of the server, and so are the hints to others", { skip }, async () => {
  const nc = await Friend.enter(port, "nina");
  const ana = await join(browser, url, "ana");
  for (const slip of [
    ..."quit pm w me brodcast privat_message al otherss lisst fles stram clsoe unbn bna hlep ? x".split(" "),
    "MSG",
    "etc/passwd",
    "x".repeat(50),
    "msg",
    "msg bob",
    "all",
    "kick",
    "stop",
    "play bob",
    "a|b",
  ]) {
    nc.type(`/${slip}`);
    const hint = (await nc.hears(/ \| error_message \| /)).replace("server | nina | error_message | ", "");
    await say(ana, `/${slip}`);
    await ana.locator("#complaint", { hasText: `${hint}. Nothing was sent.` }).waitFor();
  }
  // The page knows all short forms that `/help` lists.
  nc.type("/help");
  for (let line = ""; !line.endsWith("(help)"); ) {
    line = await nc.hears(/ \| help \| /);
    const [, form] = line.match(/ help \| (\/.+?): /);
    if (["/exit", "/close", "/unwatch", "/tags on"].includes(form)) continue;
    await say(ana, form);
    await ana.waitForFunction(() => document.querySelector("#text").value === "");
  }
  await say(ana, "/msg nina psst");
  await nc.hears("ana | nina | private_message | psst");
  await say(ana, "//msg nina psst");
  await nc.hears("ana | all clients | broadcast | /msg nina psst");
  await nc.leave();
  await leave(ana);
});

test("hostile names and messages are text", { skip }, async () => {
  const markup = `<img src=x onerror="x=1">&amp;`;
  const evil = await Friend.enter(port, `<b>${"\u0301".repeat(3)}</b>"'&lt;`);
  const arab = await Friend.enter(port, "محمد");
  const ana = await join(browser, url, "ana");
  await person(ana, "<b>\u0301\u0301\u0301</b>\"'&lt;".normalize("NFC")).waitFor();
  await person(ana, "محمد").waitFor();
  evil.type(`/all ${markup}`);
  assert.equal(await (await hears(ana, markup)).locator("img").count(), 0);
  evil.type("/all <script>x=1</script>");
  await hears(ana, "<script>x=1</script>");
  arab.type("/all שלום abc");
  const row = await hears(ana, "שלום abc");
  const looks = (node) => {
    const { direction, unicodeBidi } = getComputedStyle(node);
    return { direction, unicodeBidi };
  };
  assert.deepEqual(await row.locator(".text").evaluate(looks), { direction: "rtl", unicodeBidi: "isolate" });
  assert.equal(await row.locator(".by bdi").evaluate((node) => getComputedStyle(node).unicodeBidi), "isolate");
  const wide = "W".repeat(1000 - 50);
  evil.type(`/all ${wide}`);
  const whole = await (
    await hears(ana, wide)
  )
    .locator(".text")
    .evaluate((text) => text.scrollWidth <= text.clientWidth);
  assert.equal(whole, true);
  evil.type(`/all ${"e" + "\u0301".repeat(400)}`);
  await ana.waitForFunction(() => document.querySelector("#entries").textContent.includes("\u0301".repeat(300)));
  evil.type(`/msg ana ${markup}`);
  await ana.waitForFunction(() => document.title.startsWith("(1) "));
  await ana.locator("#people .person .badge").first().click();
  await hears(ana, markup);
  assert.equal(await ana.evaluate(() => "x" in window), false);
  for (const width of [1280, 390]) {
    await ana.setViewportSize({ width, height: 800 });
    const overflow = await ana.evaluate(() =>
      [document.body, document.querySelector("#log")].map((node) => node.scrollWidth - node.clientWidth),
    );
    assert.deepEqual(overflow, [0, 0], `at ${width}`);
  }
  await evil.leave();
  await arab.leave();
  await leave(ana);
});

test("by keyboard alone", { skip }, async () => {
  const nc = await Friend.enter(port, "nina");
  const page = await visit(browser, url);
  await page.keyboard.type("ana");
  await page.keyboard.press("Enter");
  await page.locator("#text").waitFor();
  await page.keyboard.type("typed");
  await page.keyboard.press("Enter");
  await nc.hears("ana | all clients | broadcast | typed");
  await page.keyboard.press("Control+k");
  await page.keyboard.type("nin");
  await page.waitForFunction(() => document.querySelectorAll("#people .person").length === 1);
  await page.keyboard.press("Enter");
  await page.locator("#title", { hasText: "nina" }).waitFor();
  await page.keyboard.type("psst");
  await page.keyboard.press("Enter");
  await nc.hears("ana | nina | private_message | psst");
  await page.locator("#search").fill("");
  await page.locator("#text").press("Escape");
  const active = () =>
    page.evaluate(
      () =>
        document.getElementById(document.activeElement.getAttribute("aria-activedescendant"))?.querySelector(".name")
          .textContent,
    );
  await page.keyboard.press("Home");
  assert.equal(await active(), "Everyone");
  await page.keyboard.press("ArrowDown");
  assert.equal(await active(), "nina");
  await page.keyboard.press("Home");
  await page.keyboard.press("Enter");
  await page.locator("#title", { hasText: "Everyone" }).waitFor();
  // Each control is a stop for the Tab key and shows its focus.
  const stops = [];
  await page.locator("#search").focus();
  for (let count = 0; count < 7; count += 1) {
    stops.push(await page.evaluate(() => document.activeElement.id));
    assert.equal(
      await page.evaluate(
        () =>
          getComputedStyle(document.activeElement).outlineStyle !== "none" ||
          !!document.querySelector(".person.active"),
      ),
      true,
      stops.at(-1),
    );
    await page.keyboard.press("Tab");
  }
  assert.deepEqual(stops, ["search", "people", "leave", "close", "log", "text", ""]);
  await nc.leave();
  await leave(page);
});

test("a screen reader hears what arrives", { skip }, async () => {
  const nc = await Friend.enter(port, "nina");
  const ana = await join(browser, url, "ana");
  nc.type("/all listen");
  const spoken = ana.locator("#announcements[aria-live=polite] p");
  await spoken.filter({ hasText: "listen" }).waitFor({ state: "attached" });
  assert.equal((await spoken.last().textContent()).replace(/[\u2068\u2069]/g, ""), "nina: listen");
  nc.type("/msg ana a secret");
  await spoken.filter({ hasText: "New message from" }).waitFor({ state: "attached" });
  assert.equal(await ana.getByRole("log", { name: "Messages with everyone" }).count(), 1);
  await nc.leave();
  await leave(ana);
});

test("on a phone one sees the list or the conversation", { skip }, async () => {
  const nc = await Friend.enter(port, "nina");
  const ana = await join(browser, url, "ana", PHONE);
  assert.equal(await ana.locator("#side").isVisible(), false);
  nc.type("/msg ana psst");
  await ana.locator("#back-unread", { hasText: "1" }).waitFor();
  await isAccessible(ana, "phone, conversation");
  await ana.locator("#back").click();
  assert.equal(await ana.locator("#talk").isVisible(), false);
  await isAccessible(ana, "phone, list");
  await person(ana, "nina").tap();
  await hears(ana, "psst");
  await say(ana, "from a phone");
  await nc.hears("ana | nina | private_message | from a phone");
  const width = await ana.evaluate(() => document.documentElement.scrollWidth);
  assert.equal(width, 390);
  await nc.leave();
  await leave(ana);
});

test("Portuguese by the browser's language", { skip }, async () => {
  const ana = await join(browser, url, "ana", { locale: "pt-BR" });
  assert.equal(await ana.locator("html").getAttribute("lang"), "pt-BR");
  await ana.getByRole("button", { name: "Enviar" }).waitFor();
  const page = await visit(browser, url, { locale: "pt-PT" });
  await page.getByLabel("Seu nome").fill("ana");
  await page.getByRole("button", { name: "Entrar" }).click();
  await page.locator("#name-error", { hasText: "Este nome já está em uso" }).waitFor();
  await leave(page);
  await leave(ana);
});

for (const colorScheme of ["light", "dark"]) {
  test(`nothing stands in anyone's way: ${colorScheme}`, { skip }, async () => {
    const nc = await Friend.enter(port, "nina");
    const page = await visit(browser, url, { colorScheme });
    await isAccessible(page, "entrance");
    await page.locator("#name").fill("ana");
    await page.keyboard.press("Enter");
    await page.locator("#text").waitFor();
    nc.type("/msg ana psst");
    nc.type("/others all of you");
    await hears(page, "all of you");
    await say(page, "mine");
    await hears(page, "mine");
    await isAccessible(page, "everyone");
    await choose(page, "nina");
    await page.getByRole("button", { name: "Files" }).click();
    await nc.hears("ana | nina | list_files | no data");
    nc.type("nina | ana | list_files | a.txt");
    await hears(page, "a.txt");
    await nc.exit();
    await say(page, "gone?");
    await hears(page, "Destination client (nina) not found!");
    await isAccessible(page, "a person who is gone");
    await page.getByRole("button", { name: "Close the server…" }).click();
    await isAccessible(page, "asked before closing");
    await page.getByRole("button", { name: "Keep it open" }).click();
    await leave(page);
  });
}

test("leaving frees the name, and the next to enter begins empty", { skip }, async () => {
  const ana = await join(browser, url, "ana");
  await say(ana, "before");
  await hears(ana, "before");
  await ana.getByRole("button", { name: "Leave" }).click();
  await ana.locator("#name").waitFor();
  await (await Friend.enter(port, "ana")).leave();
  await ana.locator("#name").fill("anabel");
  await ana.getByRole("button", { name: "Enter" }).click();
  await ana.locator("#me", { hasText: "anabel" }).waitFor();
  await ana.locator("#empty", { hasText: "Nothing has been said yet." }).waitFor();
  await leave(ana);
});

test("pictures for the README", { skip: skip || (!folder && "no ARAUTO_PICTURES") }, () =>
  takePictures(browser, url, port, folder),
);

test(
  "after the server was killed and started again it comes back under the same name",
  { skip: skip || (!restart && "no ARAUTO_RESTART") },
  async () => {
    const ana = await join(browser, url, "ana");
    await say(ana, "before");
    await hears(ana, "before");
    await promisify(execFile)("sh", ["-c", restart], { timeout: 60_000 });
    await hears(ana, "Connected again as ana. Messages sent meanwhile by others are not kept by the server.");
    const nc = await Friend.enter(port, "nina");
    await say(ana, "after");
    await nc.hears("ana | all clients | broadcast | after");
    await hears(ana, "before");
    // Chromium itself logs the handshakes that failed while the server was down.
    ana.problems = ana.problems.filter((problem) => !/^WebSocket connection to .* failed/.test(problem));
    await nc.leave();
    await leave(ana);
  },
);

test(
  "the server is closed only after asking",
  { skip: skip || (mayClose !== "1" && "no ARAUTO_CLOSE=1") },
  async () => {
    const ana = await join(browser, url, "ana");
    const bob = await join(browser, url, "bob");
    await ana.getByRole("button", { name: "Close the server…" }).click();
    assert.equal(await ana.evaluate(() => document.activeElement.id), "close-no");
    await ana.keyboard.press("Escape");
    await say(ana, "still open");
    await hears(bob, "still open");
    await ana.getByRole("button", { name: "Close the server…" }).click();
    await ana.getByRole("button", { name: "Close the server", exact: true }).click();
    for (const page of [ana, bob]) {
      await page.locator("#banner-text", { hasText: "The server was closed." }).waitFor();
      await page.getByRole("button", { name: "Connect again" }).waitFor();
      await hears(page, "still open");
      await leave(page);
    }
  },
);
