// Makes a click act on the button or row that was pressed. Browsers dispatch a click to the element under the pointer
// at the release, and the page may have moved since the press: rows are inserted, focus scrolls, a banner appears.

/** Selects the elements that act on a click. */
const CONTROL = "button, [role=option], input, textarea, label, a";
/** Maximum time in milliseconds between a release and its click; by touch, browsers may first wait for a second tap. */
const CLICK_MS = 500;

/** Watches all presses in a document and redirects their clicks. */
export function watchPresses(root) {
  let press = null;
  root.addEventListener("pointerdown", (event) => {
    press = event.isPrimary && event.button === 0 ? begin(event) : null;
  }, true);
  root.addEventListener("pointercancel", () => {
    press = null;
  }, true);
  root.addEventListener("pointerup", (event) => {
    // The browser sends no click to a control that was removed. The element now in its place must not get one either.
    if (press?.control && !press.control.isConnected && event.isPrimary) {
      const { control, box } = press;
      press = { control: null, spentAt: event.timeStamp };
      if (isWithin(box, event)) control.click();
    }
  }, true);
  root.addEventListener("click", (event) => {
    // Clicks without a press: scripts and keys cause them, and so does a label, which passes its click on to its field.
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

/** Whether the pointer is where the control was when it was pressed; dragging away cancels a press. */
function isWithin({ left, right, top, bottom }, { clientX, clientY }) {
  return clientX >= left && clientX <= right && clientY >= top && clientY <= bottom;
}
