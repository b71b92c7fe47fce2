// Serves the page from the source tree as the server does, and passes each WebSocket to a test that simulates the
// server. For conditions that are hard to cause with a real server, such as 5,000 users.

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

/** Calls `onSocket(socket)` for each WebSocket at /tr2. Returns { url, port, close() }. Port 0 takes any free port. */
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

/** Sends the name request, and passes each line that arrives to `answers(socket, fields, line)`. */
export function greet(socket, answers) {
  socket.send("server | client | name | no data");
  socket.on("message", (text) => {
    const line = text.toString();
    const [sender, destination, operation, ...rest] = line.split(" | ");
    answers(socket, { sender, destination, operation, data: rest.join(" | ") }, line);
  });
}

/** Answers as a server with these people. `more(socket, fields)` may answer a line instead, and then returns true. */
export function answering(people, more = () => false) {
  return (socket, message, line) => {
    if (more(socket, message)) return;
    const { sender, operation, data } = message;
    if (operation === "name") {
      socket.name = data;
      socket.send(`server | ${data} | connection_confirmation | You are now connected to the server`);
    } else if (operation === "watch") {
      for (const part of parts(socket.name, [socket.name, ...people()])) socket.send(part);
    } else if (operation === "echo") {
      socket.send(line);
    } else if (operation === "broadcast") {
      socket.send(`${sender} | all clients | broadcast | ${data}`);
    }
  };
}

/** The messages of a list, numbered as by the server. */
export function parts(to, names) {
  const head = (place) => `server | ${to} | watch | clients connected${place}: `;
  const whole = head("") + names.join(" , ");
  if (Buffer.byteLength(whole) <= 1024) return [whole];
  const found = [];
  const room = 1024 - Buffer.byteLength(head(`, ${names.length} to ${names.length} of ${names.length}`));
  for (let first = 0; first < names.length; ) {
    let last = first + 1;
    while (last < names.length && Buffer.byteLength(names.slice(first, last + 1).join(" , ")) <= room) last += 1;
    found.push(head(`, ${first + 1} to ${last} of ${names.length}`) + names.slice(first, last).join(" , "));
    first = last;
  }
  return found;
}
