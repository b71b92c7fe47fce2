// Asks the server why it opened no WebSocket: browsers do not give a page the response to a failed handshake.

/** The server's explanation, or null if it gives none. */
export async function explain() {
  try {
    // POST, because browsers send the page's origin with it, and not with a GET to the same server.
    const refusal = await words("POST", 403);
    // The server accepts this page's origin, so the handshake failed because a proxy drops the upgrade request.
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
