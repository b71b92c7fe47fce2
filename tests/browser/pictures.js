// Takes the pictures in the README: a conversation on a real server, on a desktop and on a phone.

import { Friend, PHONE, choose, hears, join, person, say } from "./browser.js";

/** Writes page-desktop.png and page-phone.png into a folder. */
export async function takePictures(browser, url, port, folder) {
  const names = ["Beatriz", "Carlos", "Débora", "Eva", "João", "Nádia", "Otto", "Rômulo", "Tereza", "Vítor"];
  const friends = {};
  for (const name of names) friends[name] = await Friend.enter(port, name);
  const desktop = await join(browser, url, "Alan", { viewport: { width: 1100, height: 720 } });
  const phone = await join(browser, url, "Lia", { ...PHONE, isMobile: true, colorScheme: "dark" });
  const all = async (name, text) => {
    friends[name].type(`/all ${text}`);
    await hears(desktop, text);
    await hears(phone, text);
  };
  await all("Beatriz", "good morning");
  await all("Beatriz", "who still has the notes of Tuesday's class?");
  await all(
    "Carlos",
    "I do: three pages on sockets, two on how TCP closes, and a drawing of the handshake that nobody understood, " +
      "me included",
  );
  await say(desktop, "the drawing is mine, sorry");
  await hears(phone, "the drawing is mine, sorry");
  await all("Eva", "أحتاجها أيضا، شكرا");
  friends["Rômulo"].type("/others the room has changed: we are in 204 today");
  await hears(phone, "the room has changed: we are in 204 today");
  await hears(desktop, "the room has changed: we are in 204 today");
  await all("Vítor", "</chat> does not close anything here :)");
  await say(phone, "on my way to 204");
  await hears(desktop, "on my way to 204");
  friends["João"].type("/msg Alan are you coming on Thursday?");
  friends["João"].type("/msg Alan we need one more");
  friends["Tereza"].type("/msg Alan thanks!");
  await person(desktop, "Tereza").locator(".badge").waitFor();
  await choose(desktop, "Tereza");
  await choose(desktop, "Everyone");
  friends["Nádia"].type("/msg Lia the door is locked, ring twice");
  await phone.locator("#back-unread", { hasText: "1" }).waitFor();
  await desktop.locator("#subtitle", { hasText: "12 are here" }).waitFor();
  await desktop.screenshot({ path: `${folder}/page-desktop.png` });
  await phone.screenshot({ path: `${folder}/page-phone.png` });
}
