// Making and filling elements. Text from people only ever becomes text nodes.

import { gaps } from "./words.js";
import { pieces } from "./text.js";

export const byId = (id) => document.getElementById(id);

/** An element with a class and children, which are nodes or text. */
export function element(tag, className = "", ...children) {
  const made = document.createElement(tag);
  if (className !== "") made.className = className;
  made.append(...children);
  return made;
}

/** Whether a key belongs to an input method, which takes Enter, Escape and arrows while it composes a character. */
export function isComposing({ isComposing: isUnderWay, keyCode }) {
  // 229 also where a browser ends the composition before it tells of the key.
  return isUnderWay || keyCode === 229;
}

/** Puts an empty field in a field's place: the browser would bring back by undoing what was typed into the old one. */
export function renew(field) {
  const fresh = field.cloneNode();
  fresh.value = "";
  if (fresh.type === "checkbox") fresh.checked = false;
  field.replaceWith(fresh);
  return fresh;
}

/** What people wrote, as nodes: characters that are not seen become marks. */
export function shown(text) {
  return pieces(text).map((piece) => piece.text ?? element("span", "mark", piece.mark));
}

/** A name, whose direction does not reach beyond it. */
export function nameNode(name) {
  return element("bdi", "name", ...shown(name));
}

/** A sentence of the page with nodes in its gaps. */
export function sentence(text, values) {
  return gaps(text).map((piece) => piece.text ?? values[piece.gap]);
}

/** Sets text only where it differs, so that nothing is announced again. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
