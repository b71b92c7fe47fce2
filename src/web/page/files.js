// A person's list of files, as it came in the DATA of `list_files`. This is the one place that knows what such a text
// looks like. No page.

/** The most parts of one listing that are put together. */
const PARTS = 200;

/** Begins a listing with its first part. */
export function listing(text) {
  return { parts: [text] };
}

/** Adds a further part that came right after; false if it begins a listing of its own. */
export function addPart(held, text) {
  if (held.parts.length >= PARTS) return false;
  held.parts.push(text);
  return true;
}

/** The listing as paragraphs of text, for showing. */
export function paragraphs(held) {
  return held.parts;
}
