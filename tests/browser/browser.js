// Helpers for the tests: Chromium, its pages, actions and checks in them, and clients that use netcat.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const axe = createRequire(import.meta.url)("axe-core");

/** Maximum time in milliseconds to wait for an event, even on a loaded machine. */
export const DEADLINE = 20_000;
export const DESKTOP = { viewport: { width: 1280, height: 800 } };
export const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };

/** The path of the first program that is installed, or undefined. With ARAUTO_REQUIRE_TOOLS=1, fails instead. */
export function program(...names) {
  for (const name of names) {
    const found = spawnSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).stdout.trim();
    if (found !== "") return found;
  }
  assert.notEqual(process.env.ARAUTO_REQUIRE_TOOLS, "1", `${names.join(" or ")} is not installed`);
  return undefined;
}

/** The pages and clients that a test has opened. `leaveAll` closes them after each test, even a failed one. */
const opened = new Set();

export async function leaveAll() {
  await Promise.all([...opened].map((what) => what.leave()));
  opened.clear();
}

export const CHROMIUM = program("chromium", "chromium-browser");

export function launch() {
  // Chromium's sandbox does not work for root.
  const args = process.getuid() === 0 ? ["--no-sandbox"] : [];
  return chromium.launch({ executablePath: CHROMIUM, args });
}

/**
 * Opens a page in a new browser profile. Its `problems` are the errors and warnings of the console, uncaught
 * exceptions, and requests to other hosts.
 */
export async function visit(browser, url, { clock = false, ...options } = {}) {
  const context = await browser.newContext({ locale: "en-GB", ...DESKTOP, ...options });
  context.setDefaultTimeout(DEADLINE);
  opened.add({ leave: () => context.close() });
  const page = await context.newPage();
  page.problems = [];
  page.on("console", (said) => {
    if (["error", "warning"].includes(said.type())) page.problems.push(said.text());
  });
  page.on("pageerror", (error) => page.problems.push(error.stack));
  page.on("request", (request) => {
    if (new URL(request.url()).host !== new URL(url).host) page.problems.push(`fetched ${request.url()}`);
  });
  if (clock) await page.clock.install();
  await page.goto(url);
  return page;
}

/** Opens a page and joins under a name. */
export async function join(browser, url, name, options) {
  const page = await visit(browser, url, options);
  await page.locator("#name").fill(name);
  // The server may not have released the name after the previous test.
  const taken = page.locator("#name-error", { hasText: /already taken|já está em uso/ });
  do {
    await page.locator("#name").press("Enter");
    await page.locator("#text").or(taken).filter({ visible: true }).waitFor();
  } while (await taken.isVisible());
  return page;
}

/** Closes a page after checking that it had no problems. */
export async function leave(page) {
  assert.deepEqual(page.problems, []);
  await page.context().close();
}

/** Sends a text into the open conversation. */
export async function say(page, text) {
  await page.locator("#text").fill(text);
  await page.locator("#text").press("Enter");
}

/**
 * Waits until the open conversation has an entry with exactly this text, and returns the row of the last one. Fails after
 * `timeout` milliseconds.
 */
export async function hears(page, text, timeout = DEADLINE) {
  const row = page.locator("#entries > .row", { has: page.locator(".text", { hasText: exactly(text) }) }).last();
  await row.waitFor({ state: "attached", timeout });
  return row;
}

/**
 * Waits until a simulated server has received as many lines as these, and checks that they are the same. The page shows
 * a message before the server receives it.
 */
export async function receives(lines, expected, about) {
  const until = Date.now() + DEADLINE;
  while (lines.length < expected.length && Date.now() < until) await new Promise((done) => setTimeout(done, 10));
  assert.deepEqual(lines, expected, about);
}

/** Opens a conversation by its row in the list. */
export async function choose(page, name) {
  if (await page.locator("#back").isVisible()) await page.locator("#back").click();
  await person(page, name).click();
  await page.locator("#title", { hasText: exactly(name) }).waitFor();
}

export function person(page, name) {
  return page.locator("#people .person", { has: page.locator(".name", { hasText: exactly(name) }) });
}

export function exactly(text) {
  return new RegExp(`^${text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&")}$`);
}

/** Checks that axe-core finds no accessibility violations. */
export async function isAccessible(page, view) {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => window.axe.run());
  const found = violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join("\n")}`,
  );
  assert.deepEqual(found, [], `${view}: ${page.url()}`);
}

/** A client that uses netcat. */
export class Friend {
  #lines = [];
  #waiting = null;

  constructor(port) {
    opened.add(this);
    this.process = spawn("nc", ["127.0.0.1", String(port)], { stdio: ["pipe", "pipe", "inherit"] });
    let rest = "";
    this.process.stdout.setEncoding("utf8").on("data", (text) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop();
      this.#lines.push(...lines);
      this.#waiting?.();
    });
    this.process.on("exit", () => this.#waiting?.());
    this.process.stdin.on("error", () => {});
  }

  static async enter(port, name) {
    const until = Date.now() + DEADLINE;
    for (;;) {
      const friend = new Friend(port);
      friend.type(name);
      const answer = await friend.hears(/ \| connection_(confirmation|error) \| /);
      if (answer.includes("connection_confirmation")) return friend;
      // The server may not have released the name after the previous test.
      assert.ok(answer.includes("already taken") && Date.now() < until, answer);
      await friend.leave();
    }
  }

  type(line) {
    this.process.stdin.write(`${line}\n`);
  }

  /** Reads lines until one equals or matches `wanted`, and returns it. */
  async hears(wanted) {
    const fits = (line) => (typeof wanted === "string" ? line === wanted : wanted.test(line));
    const until = Date.now() + DEADLINE;
    for (;;) {
      while (this.#lines.length > 0) {
        const line = this.#lines.shift();
        if (fits(line)) return line;
      }
      assert.equal(this.process.exitCode, null, `nc ended before ${wanted}`);
      await this.#more(until - Date.now(), wanted);
    }
  }

  #more(remaining, wanted) {
    return new Promise((done, failed) => {
      const timer = setTimeout(() => failed(new Error(`did not hear ${wanted}`)), remaining);
      this.#waiting = () => {
        clearTimeout(timer);
        this.#waiting = null;
        done();
      };
    });
  }

  /** Leaves by `/exit` and waits for the server's answer. */
  async exit() {
    this.type("/exit");
    await this.hears(/ \| exit \| client disconnected$/);
  }

  async leave() {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const ended = new Promise((done) => this.process.once("exit", done));
    this.process.kill();
    await ended;
  }
}
