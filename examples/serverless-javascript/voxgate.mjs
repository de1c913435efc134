// One HTTPS call with the API key, which never leaves the server. Used by api/voice-token.js and lambda.mjs.

// Long enough to open a connection, too short to be worth stealing. A call that has begun goes on after it.
const TTL_SECONDS = 60;

/** Resolves to {key, url, expires_at}; rejects when Voxgate gives no credential. */
export async function mintCredential(userId) {
  const baseUrl = process.env.VOXGATE_URL.replace(/\/+$/, "");
  const model = process.env.VOXGATE_MODEL ?? "local";
  const response = await fetch(`${baseUrl}/v1/credentials`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${process.env.VOXGATE_API_KEY}`,
      "content-type": "application/json",
    },
    body: JSON.stringify({
      // The credential opens calls to this model and no other, …
      model,
      ttl_seconds: TTL_SECONDS,
      // … and every one of them is recorded in this project, with the user's id to find it by.
      logging: { project_name: process.env.VOXGATE_PROJECT ?? "voice-app" },
      metadata: { user_id: userId },
    }),
    signal: AbortSignal.timeout(10_000),
  });
  if (!response.ok) throw new Error(`HTTP ${response.status} ${await response.text()}`);
  const { key, expires_at } = await response.json();
  const url = `${baseUrl.replace(/^http/, "ws")}/v1/realtime?model=${encodeURIComponent(model)}`;
  return { key, url, expires_at };
}
