/** WebSocket close codes in words, for people who want to know what to do next. */

const WORDS: Record<number, string> = {
  1000: "The call ended normally.",
  1001: "The gateway is stopping, or the session reached its longest duration.",
  1005: "The call ended without a reason being given.",
  1006: "The connection was lost. Check that the gateway is running and reachable.",
  1008: "The gateway's policy ended the call.",
  1009: "A message was larger than the gateway allows.",
  1011: "The provider or the gateway failed. The gateway's log says more.",
  1012: "The gateway is restarting. Call again in a moment.",
  1013: "The gateway is busy. Call again in a moment.",
  3000: "The credential was not accepted. Hang up and connect again; sign in again if it stays.",
  4000: "The request was not accepted: the model or the protocol version is wrong.",
  4003: "This credential may not use that model.",
};

/** The reason is `type.code`; some codes say more than their number. */
const REASONS: Record<string, string> = {
  session_ended: "The call was ended from its session page or the API.",
  session_expired: "The session reached its longest duration.",
  invalid_model: "No provider serves this model. Choose another one.",
  draining: "The gateway is stopping. Call again when it is back.",
  upstream_refused:
    "The provider did not take the call. Look at the gateway's log, and at the provider's key.",
  upstream_lost: "The provider was lost in the middle of the call.",
};

export function closeWords(code: number, reason: string): string {
  const name = reason.split(".").pop() ?? "";
  const words =
    (Object.hasOwn(REASONS, name) && REASONS[name]) || WORDS[code] || "The connection was closed.";
  const said = reason && !words.includes(reason) ? ` “${reason}”` : "";
  return `${words}${said} (close code ${code})`;
}
