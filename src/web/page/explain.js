// Asks the server why it opened no WebSocket: browsers show a page nothing of that refusal.

/** The server's words, or null if there are none. */
export async function explain() {
  try {
    // Browsers send the page's origin with POST, and with GET to the same server they do not.
    const refusal = await words("POST", 403);
    // The server would have opened one: the request to do so does not reach it.
    return refusal ?? (await words("GET", 426));
  } catch {
    return null;
  }
}

async function words(method, status) {
  const answer = await fetch("tr2", { method, cache: "no-store" });
  const isPlain = answer.headers.get("content-type")?.startsWith("text/plain");
  return answer.status === status && isPlain ? (await answer.text()).trim() : null;
}
