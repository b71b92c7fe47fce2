// Tests entering, refusals, cuts and reconnecting, with simulated sockets and a simulated clock.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Connection, PAUSES, TAKEN_TRIES } from "../../src/web/page/connection.js";

const TAKEN =
  "server | new_client: alan | connection_error | This username is already taken. " +
  "You need to connect again and use another one";

/** A connection with simulated sockets and a simulated clock. */
function line() {
  const world = { sockets: [], states: [], heard: [], timers: [], now: 0 };
  const connection = new Connection({
    open() {
      const socket = { readyState: 1, bufferedAmount: 0, sent: [], send: (text) => socket.sent.push(text) };
      socket.close = () => (socket.readyState = 3);
      socket.hear = (text) => socket.onmessage({ data: text });
      socket.cut = (wasClean = false) => socket.onclose({ wasClean });
      world.sockets.push(socket);
      return socket;
    },
    changed: (state, detail) => world.states.push({ state, ...detail }),
    received: (told) => world.heard.push(told),
    clock: {
      now: () => world.now,
      random: () => 0.5,
      setTimeout: (act, pause) => world.timers.push({ act, pause }) && world.timers.at(-1),
      clearTimeout: (timer) => (timer.act = () => {}),
    },
  });
  const socket = () => world.sockets.at(-1);
  const join = () => {
    socket().hear("server | client | name | no data");
    socket().hear("server | alan | connection_confirmation | You are now connected to the server");
  };
  return { ...world, world, connection, socket, join, last: () => world.states.at(-1) };
}

test("entering under a name, and why it was refused", () => {
  const { connection, socket, join, last } = line();
  connection.enter("bob");
  socket().hear("server | client | name | no data");
  assert.deepEqual(socket().sent, ["bob | server | name | bob"]);
  socket().hear(TAKEN);
  socket().cut(true);
  assert.equal(last().state, "idle");
  assert.match(last().why, /^This username is already taken/);
  connection.enter("alan");
  join();
  assert.deepEqual(last(), { state: "joined", name: "alan" });
});

test("no server: said, and not tried again by itself", () => {
  const { connection, socket, last, timers } = line();
  connection.enter("alan");
  socket().cut();
  assert.deepEqual(last(), { state: "idle", unreachable: true });
  for (const { act } of timers) act();
  assert.equal(last().state, "idle");
});

test("a password is asked for, asked again, and used once more after a cut", () => {
  const { connection, socket, last, timers } = line();
  connection.enter("alan");
  socket().hear("server | client | name | no data");
  socket().hear("server | alan | password | no data");
  assert.deepEqual(last(), { state: "password", name: "alan", why: null });
  connection.givePassword("wrong");
  socket().hear("server | alan | error_message | That is not the password of alan; 2 tries are left");
  socket().hear("server | alan | password | no data");
  assert.match(last().why, /2 tries are left/);
  connection.givePassword("a | b");
  assert.equal(socket().sent.at(-1), "alan | server | password | a | b");
  socket().hear("server | alan | connection_confirmation | You are now connected to the server");
  socket().cut();
  timers.at(-1).act();
  socket().hear("server | client | name | no data");
  socket().hear("server | alan | password | no data");
  assert.equal(socket().sent.at(-1), "alan | server | password | a | b");
});

test("after a cut it comes back under the same name, ever more slowly", () => {
  const { connection, socket, join, last, timers } = line();
  connection.enter("alan");
  join();
  for (const pause of [...PAUSES, PAUSES.at(-1)]) {
    socket().cut();
    assert.equal(last().state, "cut");
    assert.equal(timers.at(-1).pause, pause);
    timers.at(-1).act();
  }
  join();
  assert.equal(last().state, "joined");
  socket().cut();
  assert.equal(timers.at(-1).pause, PAUSES[0]);
});

test("a name that the old connection still holds is tried for again, but not for ever", () => {
  const { connection, socket, join, last, timers } = line();
  connection.enter("alan");
  join();
  socket().cut();
  for (let tries = 0; tries < TAKEN_TRIES; tries += 1) {
    timers.at(-1).act();
    socket().hear(TAKEN);
    socket().cut(true);
    assert.equal(last().taken, true);
  }
  timers.at(-1).act();
  socket().hear(TAKEN);
  socket().cut(true);
  assert.equal(last().state, "idle");
});

test("no coming back after the server closed, sent one away, or was left", () => {
  for (const [frame, state] of [
    ["server | all clients | broadcast | server closed", { state: "ended", closed: true }],
    [
      "server | alan | error_message | You were disconnected by eve",
      { state: "ended", why: "You were disconnected by eve" },
    ],
    ["server | alan | exit | client disconnected", { state: "idle", left: true }],
  ]) {
    const { connection, socket, join, last } = line();
    connection.enter("alan");
    join();
    socket().hear(frame);
    socket().cut(true);
    assert.deepEqual(last(), state);
  }
  const { connection, socket, join, last } = line();
  connection.enter("alan");
  join();
  socket().hear("bob | all clients | broadcast | server closed");
  socket().cut(true);
  assert.equal(last().state, "cut");
});

test("nothing is sent into a connection that takes nothing", () => {
  const { connection, socket, join } = line();
  assert.equal(connection.send("x"), false);
  connection.enter("alan");
  join();
  assert.equal(connection.send("x"), true);
  socket().bufferedAmount = 1_000_000;
  assert.equal(connection.send("x"), false);
  socket().bufferedAmount = 0;
  socket().readyState = 2;
  assert.equal(connection.send("x"), false);
});

test("what an abandoned connection still says is not heard", () => {
  const { connection, socket, join, heard } = line();
  connection.enter("alan");
  join();
  const old = socket();
  connection.drop();
  old.hear("bob | all clients | broadcast | late");
  assert.deepEqual(heard, []);
});
