/** Answers that public/early.js has asked for before this script was there. Each is given once. */

declare global {
  interface Window {
    voxgateEarly?: Map<string, Promise<Response>>;
  }
}

/** An answer older than this is asked for again, by the time since the page began. */
const LATEST_MS = 10_000;

/** Null where none was asked for, where it failed, and where it is too old: then it has to be asked for. */
export async function earlyAnswer(
  path: string,
  asked = waiting(),
  nowMs = performance.now(),
): Promise<Response | null> {
  const answer = asked?.get(path);
  asked?.delete(path);
  if (!answer || nowMs > LATEST_MS) return null;
  try {
    const response = await answer;
    return response.ok ? response : null;
  } catch {
    return null;
  }
}

const waiting = () => (typeof window === "undefined" ? undefined : window.voxgateEarly);
