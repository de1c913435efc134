// Vercel function at /api/voice-token: gives a signed-in user of your site a temporary credential for one call.
import { mintCredential } from "../voxgate.mjs";

// A credential must not stay in any cache on the way.
const HEADERS = { "cache-control": "no-store" };

export async function POST(request) {
  const userId = await signedInUser(request);
  if (userId === null) return Response.json({ error: "Sign in first." }, { status: 401, headers: HEADERS });
  try {
    return Response.json(await mintCredential(userId), { headers: HEADERS });
  } catch (error) {
    // The details belong into your log, not to whoever asks.
    console.error("Voxgate gave no credential:", error.message);
    return Response.json({ error: "The voice service is not available." }, { status: 502, headers: HEADERS });
  }
}

/**
 * Who asks, or null. THIS IS YOURS TO WRITE: whoever gets past it can talk at your expense. Check your session
 * cookie or token here with the library that signs your users in. Until you do, it lets nobody in.
 */
async function signedInUser(request) {
  if (process.env.VOICE_TOKEN_ALLOW_ANYONE === "1") return "anyone"; // for trying it on your own machine
  return null;
}
