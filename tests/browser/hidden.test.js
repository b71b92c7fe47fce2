// Tests which characters the page holds back because the server would refuse them. ARAUTO_HIDDEN is a file in which
// the server's rule has decided about each character; without it, the test that compares both is skipped. The other
// tests simulate the server.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, afterEach, before, test } from "node:test";

import { firstHidden } from "../../src/web/page/hidden.js";
import { speaker } from "../../src/web/page/words.js";
import { CHROMIUM, choose, exactly, hears, join, launch, leave, leaveAll, receives, say } from "./browser.js";
import { answering, greet, servePage } from "./page-server.js";

const { ARAUTO_HIDDEN: decided } = process.env;
const skip = CHROMIUM ? false : "no chromium";
let browser;
let server;
let said = [];

before(async () => {
  if (skip) return;
  browser = await launch();
  const answers = answering(() => ["bob"]);
  server = await servePage((client) =>
    greet(client, (from, fields, line) => {
      if (/^(broadcast|broadcast_not_me|private_message|kick)$/.test(fields.operation)) said.push(line);
      answers(from, fields, line);
    }),
  );
});
afterEach(async () => {
  await leaveAll();
  said = [];
});
after(async () => {
  await browser?.close();
  await server?.close();
});

/** Types or pastes a text, and presses Enter. The page must hold it back for this reason, and send nothing. */
async function isHeld(page, text, why) {
  await page.locator("#text").fill("");
  await page.evaluate((pasted) => navigator.clipboard.writeText(pasted), text);
  await page.locator("#text").press("Control+v");
  await page.locator("#text").press("Enter");
  await page.locator("#complaint", { hasText: exactly(why) }).waitFor();
  assert.equal(await page.locator("#text").inputValue(), text);
  await page.locator("#text").fill("");
}

const permissions = ["clipboard-read", "clipboard-write"];

test("a pasted invisible character is named with its place in what was typed", { skip }, async () => {
  const page = await join(browser, server.url, "alan", { permissions });
  const held = (place, code) =>
    `Character ${place} is an invisible character (${code}), which the server refuses. Nothing was sent.`;
  for (const [text, place, code] of [
    ["soft\u00adhyphen", 5, "U+00AD"],
    ["zero\u200bwidth", 5, "U+200B"],
    ["\ufeffmark", 1, "U+FEFF"],
    ["😀 evil\u202efdp.exe", 7, "U+202E"],
    ["pass\u200dword", 5, "U+200D"],
    ["tag\u{e0041}", 4, "U+E0041"],
    ["/msg bob a\u200bb", 11, "U+200B"],
    ["\u200b/msg bob a\u200bb", 12, "U+200B"],
    ['/msg "bo\u00adb" hello', 9, "U+00AD"],
    ["//\u2066x", 3, "U+2066"],
    ["/kick bob b\u2060y", 12, "U+2060"],
  ])
    await isHeld(page, text, held(place, code));
  await isHeld(page, "one\n\ntwo\u200b", `In message 2: ${held(4, "U+200B")}`);
  const control = "Character 2 is a control character (U+001B), which the server refuses. Nothing was sent.";
  await isHeld(page, "one\na\u001b", `In message 2: ${control}`);
  await choose(page, "bob");
  await isHeld(page, "zero\u200bwidth", held(5, "U+200B"));
  await choose(page, "Everyone");
  // What writing needs is sent.
  const scotland = "\u{1f3f4}\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}";
  for (const text of ["علی\u200cرضا", "क्\u200dष", "👩🏽\u200d💻 ❤\ufe0f", scotland]) {
    await say(page, text);
    await hears(page, text);
    await receives(said, [`alan | all clients | broadcast | ${text}`]);
    said = [];
  }
  await leave(page);
});

test("in Portuguese as well", { skip }, async () => {
  const page = await join(browser, server.url, "alan", { permissions, locale: "pt-BR" });
  const sayPt = speaker("pt");
  await isHeld(page, "zero\u200bwidth", sayPt("hidden", { place: 5, code: "U+200B" }));
  const why = sayPt("hidden", { place: 2, code: "U+00AD" });
  await isHeld(page, "a\nb\u00ad", sayPt("inMessage", { number: 2, why }));
  await leave(page);
});

test("the page and the server have the same rule", { skip: decided ? false : "no ARAUTO_HIDDEN" }, () => {
  // Between two letters of these scripts, the page leaves the decision to the server.
  const ancient = /[\p{Script=Chorasmian}\p{Script=Old_Uyghur}\p{Script=Psalter_Pahlavi}]/u;
  const { compared, contexts } = JSON.parse(readFileSync(decided, "utf8"));
  for (const { context, refused } of contexts) {
    const isRefused = new Set(refused);
    const different = [];
    for (const [first, last] of compared) {
      for (let code = first; code <= last; code += 1) {
        const character = String.fromCodePoint(code);
        // The browser and the server may know different versions of Unicode.
        if (/[\p{Cs}\p{Cn}]/u.test(character) && !/\p{Default_Ignorable_Code_Point}/u.test(character)) continue;
        if (ancient.test(character) && context === "X\u200cX") continue;
        const isHidden = firstHidden(context.replaceAll("X", character)) >= 0;
        if (isHidden !== isRefused.has(code)) different.push(`U+${code.toString(16)}`);
      }
    }
    assert.deepEqual(different, [], JSON.stringify(context));
  }
});
