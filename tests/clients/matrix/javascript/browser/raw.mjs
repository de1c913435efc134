// What a browser has by itself: a WebSocket whose subprotocols carry the key.
import { hold, wsUrl } from "../talk.mjs";

const SUBPROTOCOLS = { ga: [], beta: ["openai-beta.realtime-v1"] };

export async function converse(order, account, dialect) {
  account.events = [];
  const url = `${wsUrl(order)}?model=${order.model}`;
  const protocols = ["realtime", `openai-insecure-api-key.${order.key}`, ...SUBPROTOCOLS[dialect]];
  const socket = new WebSocket(url, protocols);
  const ended = new Promise((resolve) => socket.addEventListener("close", resolve));
  const opened = new Promise((resolve) => socket.addEventListener("open", resolve));
  const lost = ended.then(({ code, reason }) => Promise.reject(new Error(`closed: ${code} ${reason}`)));
  socket.addEventListener("message", ({ data }) => account.take(JSON.parse(data)));
  await Promise.race([lost, opened]);
  await Promise.race([lost, hold(order, account, dialect, (event) => socket.send(JSON.stringify(event)))]);
  lost.catch(() => {});
  socket.close(1000);
  await ended;
}
