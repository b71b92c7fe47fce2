// Tests the page behind nginx, in common configurations. ARAUTO_URL and ARAUTO_TCP are as in page.test.js; without
// them, or without nginx, these tests are skipped.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join as path } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { WebSocket } from "ws";

import { CHROMIUM, DEADLINE, Friend, hears, join, launch, leave, leaveAll, program, say, visit } from "./browser.js";

const { ARAUTO_URL: url, ARAUTO_TCP: port } = process.env;
const hasTools = CHROMIUM && program("nc") && program("nginx");
const skip = !url || !port ? "no ARAUTO_URL and ARAUTO_TCP" : !hasTools ? "no chromium, nc or nginx" : false;

const UPGRADE = 'proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";';
const PROXIES = {
  // As nginx's documentation advises. Host is then without the port of the address.
  host: (server) => `location / { proxy_pass ${server}/; ${UPGRADE} proxy_set_header Host $host; }`,
  whole: (server) => `location / { proxy_pass ${server}/; ${UPGRADE} proxy_set_header Host $http_host; }`,
  // Host is the address in `proxy_pass`.
  other: (server) => `location / { proxy_pass ${server}/; ${UPGRADE} }`,
  // The upgrade request is not passed on.
  plain: (server) => `location / { proxy_pass ${server}; proxy_set_header Host $http_host; }`,
  bare: (server) => `location / { proxy_pass ${server}; }`,
  folder: (server) => `location /chat/ { proxy_pass ${server}/; ${UPGRADE} proxy_set_header Host $http_host; }`,
};

let browser;
let nginx;
let folder;
const at = {};

before(async () => {
  if (skip) return;
  browser = await launch();
  folder = mkdtempSync(path(tmpdir(), "arauto-proxy-"));
  const servers = [];
  for (const [name, location] of Object.entries(PROXIES)) {
    const listen = await freePort();
    at[name] = `http://127.0.0.1:${listen}/`;
    servers.push(`server { listen 127.0.0.1:${listen}; ${location(url.replace(/\/$/, ""))} }`);
  }
  const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${folder}/${kind};`);
  const user = process.getuid() === 0 ? "user root;" : "";
  writeFileSync(
    path(folder, "nginx.conf"),
    `${user} daemon off; worker_processes 1; pid ${folder}/pid; error_log stderr; events { }
     http { access_log off; ${paths.join(" ")} ${servers.join("\n")} }`,
  );
  nginx = spawn(program("nginx"), ["-p", folder, "-c", path(folder, "nginx.conf")], { stdio: ["ignore", "ignore", "inherit"] });
  const until = Date.now() + DEADLINE;
  while (!(await fetch(at.whole).catch(() => null))?.ok) assert.ok(Date.now() < until && nginx.exitCode === null, "no nginx");
});
afterEach(leaveAll);
after(async () => {
  await browser?.close();
  if (nginx) {
    const ended = new Promise((done) => nginx.once("exit", done));
    nginx.kill();
    await ended;
  }
  if (folder) rmSync(folder, { recursive: true });
});

/** Finds a port that is free at the moment. */
function freePort() {
  return new Promise((done) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port: found } = probe.address();
      probe.close(() => done(found));
    });
  });
}

/** Tries a WebSocket handshake from this origin, and returns the status of the response. */
function shakeHands(address, origin, host) {
  return new Promise((done) => {
    const socket = new WebSocket(new URL("tr2", address), { origin, ...(host && { headers: { host } }) });
    socket.on("open", () => {
      socket.terminate();
      done(101);
    });
    socket.on("unexpected-response", (_, { statusCode }) => {
      socket.terminate();
      done(statusCode);
    });
    socket.on("error", () => {});
  });
}

for (const name of Object.keys(PROXIES)) {
  test(`files are given to the page's own scripts: ${name}`, { skip }, async () => {
    const page = name === "folder" ? `${at[name]}chat/` : at[name];
    for (const file of ["", "app.js", "style.css"]) {
      const { status } = await fetch(page + file, { headers: { origin: new URL(page).origin } });
      assert.equal(status, 200, file);
    }
  });
}

for (const name of ["host", "whole", "folder"]) {
  test(`the page works behind a proxy: ${name}`, { skip }, async () => {
    const nc = await Friend.enter(port, "nina");
    const ana = await join(browser, name === "folder" ? `${at[name]}chat/` : at[name], "ana");
    await say(ana, "from behind");
    await nc.hears("ana | all clients | broadcast | from behind");
    await hears(ana, "from behind");
    await nc.leave();
    await leave(ana);
  });
}

test("a folder without its slash leads to the page", { skip }, async () => {
  const ana = await join(browser, `${at.folder}chat`, "ana");
  assert.equal(ana.url(), `${at.folder}chat/`);
  await leave(ana);
});

const HOST = "have it pass on the browser's Host header, with its port. For nginx: proxy_set_header Host $http_host;";
for (const [name, words] of [
  ["other", HOST],
  ["bare", HOST],
  ["plain", "have it pass on the request to upgrade. For nginx: proxy_http_version 1.1;"],
]) {
  test(`what the proxy lacks is said on the page: ${name}`, { skip }, async () => {
    const page = await visit(browser, at[name]);
    await page.locator("#name").fill("ana");
    await page.keyboard.press("Enter");
    await page.locator("#name-error", { hasText: words }).waitFor();
    await page.context().close();
  });
}

test("a page from elsewhere gets no WebSocket through any of them", { skip }, async () => {
  for (const [name, address] of Object.entries(at)) {
    if (name === "folder") continue;
    // Without the upgrade request, the handshake fails from every origin.
    const refused = ["bare", "plain"].includes(name) ? 426 : 403;
    assert.equal(await shakeHands(address, "http://evil.example"), refused, name);
    if (refused === 426) continue;
    assert.equal(await shakeHands(address, "null"), 403, name);
  }
  // The name of another site, which resolves to the proxy's address.
  for (const name of ["host", "whole"]) assert.equal(await shakeHands(at[name], "http://evil.example", "evil.example"), 403, name);
  assert.equal(await shakeHands(at.whole, new URL(at.whole).origin), 101);
});
