// Serves the page from the source tree as the server does, and hands each WebSocket to whoever wants to play the
// server: for what a real server cannot be made to do at will, such as have 5,000 users.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { WebSocketServer } from "ws";

const FOLDER = new URL("../../src/web/page/", import.meta.url);
const TYPES = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
};
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; media-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** `onSocket(socket)` is called for each WebSocket at /tr2. Returns { url, port, close() }. Port 0: any free one. */
export async function servePage(onSocket, port = 0) {
  const http = createServer(async (request, response) => {
    const name = new URL(request.url, "http://page").pathname.slice(1) || "index.html";
    const type = TYPES[name.split(".").pop()];
    try {
      if (!/^[\w-]+\.\w+$/.test(name) || !type) throw new Error("no such file");
      const body = await readFile(new URL(name, FOLDER));
      const headers = { "content-type": type, "content-security-policy": POLICY, "x-content-type-options": "nosniff" };
      response.writeHead(200, { ...headers, "cache-control": "no-cache" }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  const sockets = new WebSocketServer({ server: http, path: "/tr2" });
  sockets.on("connection", onSocket);
  await new Promise((done, failed) => http.once("error", failed).listen(port, "127.0.0.1", done));
  return {
    url: `http://127.0.0.1:${http.address().port}/`,
    port: http.address().port,
    async close() {
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
      http.closeAllConnections();
      await new Promise((done) => http.close(done));
    },
  };
}
