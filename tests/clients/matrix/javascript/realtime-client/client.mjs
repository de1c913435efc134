// RealtimeClient of the beta's reference client, in a browser: it keeps the conversation and calls the tool itself.
import { RealtimeClient } from "openai-realtime-api";
import { answered, COUNT, FORECAST, GET_WEATHER, INSTRUCTIONS, pieces, VAD, wsUrl } from "../talk.mjs";

export async function converse(order, account) {
  account.events = [];
  const client = new RealtimeClient({
    url: wsUrl(order),
    apiKey: order.key,
    dangerouslyAllowAPIKeyInBrowser: true,
    sessionConfig: { instructions: INSTRUCTIONS, turn_detection: VAD },
  });
  client.on("realtime.event", ({ source, event }) => source === "server" && account.note(event));
  client.on("conversation.item.completed", ({ item }) => complete(account, item));
  client.on("conversation.updated", ({ item, delta }) => {
    if (delta?.audio) account.hear(item.id, new Uint8Array(delta.audio.buffer));
    if (delta?.transcript && item.role === "user") account.heard = [delta.transcript];
  });
  await client.connect();
  const { name, description, parameters } = GET_WEATHER;
  client.addTool({ name, description, parameters }, () => JSON.parse(FORECAST));
  await account.until("session.updated");
  client.sendUserMessageContent([{ type: "input_text", text: COUNT }]);
  await account.until("response.done", "rate_limits.updated");
  if (order.whole) {
    for (const piece of pieces(order.speech)) client.appendInputAudio(piece.buffer);
    await answered(account);
  }
  const ended = new Promise((resolve) => client.realtime.ws.addEventListener("close", resolve));
  client.disconnect();
  await ended;
}

function complete(account, { type, role, formatted }) {
  if (role === "assistant") account.words.push(formatted.transcript);
  if (type !== "function_call") return;
  const { name, arguments: words, call_id } = formatted.tool;
  account.tools.push({ name, arguments: words, call_id });
}
