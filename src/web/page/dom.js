// Creates and fills elements. Text from other clients only ever becomes text nodes.

import { gaps } from "./words.js";
import { pieces } from "./text.js";

export const byId = (id) => document.getElementById(id);

/** Creates an element with a class and children, which are nodes or strings. */
export function element(tag, className = "", ...children) {
  const made = document.createElement(tag);
  if (className !== "") made.className = className;
  made.append(...children);
  return made;
}

/** Whether a key event belongs to an input method, which uses Enter, Escape and arrows during a composition. */
export function isComposing({ isComposing: isUnderWay, keyCode }) {
  // Some browsers end the composition before they dispatch the key event; its code is still 229.
  return isUnderWay || keyCode === 229;
}

/** Whether a key event types a character other than a space, outside a field of text. */
export function isTyping({ key, ctrlKey, altKey, metaKey, target }) {
  const isShortcut = ctrlKey || altKey || metaKey;
  return !isShortcut && key !== " " && [...key].length === 1 && !target.matches("input:not([type=checkbox]), textarea");
}

/** Replaces a field by an empty copy, because in the old one undo would restore what was typed. */
export function renew(field) {
  const fresh = field.cloneNode();
  fresh.value = "";
  if (fresh.type === "checkbox") fresh.checked = false;
  field.replaceWith(fresh);
  return fresh;
}

/** Hides an element. If it had the focus, `refocus()` moves that, because the browser would give it to no element. */
export function hide(node, refocus) {
  const hadFocus = node.contains(document.activeElement);
  node.hidden = true;
  if (hadFocus) refocus();
}

/** Text from other clients as nodes; invisible characters become marks. */
export function shown(text) {
  return pieces(text).map((piece) => piece.text ?? element("span", "mark", piece.mark));
}

/** A name as a node that confines its writing direction. */
export function nameNode(name) {
  return element("bdi", "name", ...shown(name));
}

/** A sentence of the page, with the nodes of `values` in its gaps. */
export function sentence(text, values) {
  return gaps(text).map((piece) => piece.text ?? values[piece.gap]);
}

/** Sets a node's text only if it differs, so that screen readers do not announce it again. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
