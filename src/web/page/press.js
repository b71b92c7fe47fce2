// Makes a click act on the button or row that was pressed. Browsers let a click act on what is under the pointer at the
// release, and the page may have moved meanwhile: rows are inserted, focus scrolls, a banner appears.

/** What acts on a click. */
const CONTROL = "button, [role=option], input, textarea, label, a";
/** Milliseconds after a release within which its click comes; by touch it may wait for a second tap. */
const CLICK_MS = 500;

/** Watches all presses in a document. */
export function watchPresses(root) {
  let press = null;
  root.addEventListener("pointerdown", (event) => {
    press = event.isPrimary && event.button === 0 ? begin(event) : null;
  }, true);
  root.addEventListener("pointercancel", () => {
    press = null;
  }, true);
  root.addEventListener("pointerup", (event) => {
    // A control that has been removed gets no click from the browser. What lies in its place must not get it either.
    if (press?.control && !press.control.isConnected && event.isPrimary) {
      const { control, box } = press;
      press = { control: null, spentAt: event.timeStamp };
      if (isWithin(box, event)) control.click();
    }
  }, true);
  root.addEventListener("click", (event) => {
    // Scripts and keys click without a pointer, and a label passes its click on to its field.
    if (press === null || !event.isTrusted || event.detail === 0) return;
    const { control, box, spentAt } = press;
    press = null;
    if (spentAt !== undefined && event.timeStamp - spentAt > CLICK_MS) return;
    if (spentAt === undefined && event.target.closest(CONTROL) === control) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (control && isWithin(box, event)) control.click();
  }, true);
}

function begin({ target }) {
  const control = target.closest(CONTROL);
  return { control, box: control?.getBoundingClientRect() };
}

/** Whether a pointer is where the control was when it was pressed; dragging away takes a press back. */
function isWithin({ left, right, top, bottom }, { clientX, clientY }) {
  return clientX >= left && clientX <= right && clientY >= top && clientY <= bottom;
}
