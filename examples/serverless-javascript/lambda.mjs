// AWS Lambda (Node 20 or later, handler `lambda.handler`): the same function behind an HTTP API or a function URL,
// payload format 2.0. Upload this file and voxgate.mjs.
import { mintCredential } from "./voxgate.mjs";

export async function handler(event) {
  if (event.requestContext.http.method !== "POST") return answer(405, { error: "Use POST." });
  const userId = signedInUser(event);
  if (userId === null) return answer(401, { error: "Sign in first." });
  try {
    return answer(200, await mintCredential(userId));
  } catch (error) {
    // The details belong into your log, not to whoever asks.
    console.error("Voxgate gave no credential:", error.message);
    return answer(502, { error: "The voice service is not available." });
  }
}

/**
 * Who asks, or null. THIS IS YOURS TO ADAPT: whoever gets past it can talk at your expense. As it is, it trusts the
 * JWT authorizer of an API Gateway HTTP API, which has checked the token before the function runs, and nobody else.
 */
function signedInUser(event) {
  if (process.env.VOICE_TOKEN_ALLOW_ANYONE === "1") return "anyone"; // for trying it on your own machine
  return event.requestContext.authorizer?.jwt?.claims?.sub ?? null;
}

function answer(statusCode, body) {
  // A credential must not stay in any cache on the way.
  const headers = { "content-type": "application/json", "cache-control": "no-store" };
  return { statusCode, headers, body: JSON.stringify(body) };
}
