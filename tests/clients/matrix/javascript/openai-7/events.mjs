// OpenAI's own npm package of today, in Node and in a browser: `ws` and `native` for its two classes.
import OpenAI from "openai";
import { hold } from "../talk.mjs";

export async function converse(order, account, variant) {
  account.events = [];
  const client = new OpenAI({ baseURL: order.url, apiKey: order.key, dangerouslyAllowBrowser: true });
  const call =
    variant === "ws"
      ? new (await import("openai/realtime/ws")).OpenAIRealtimeWS({ model: order.model }, client)
      : new (await import("openai/realtime/websocket")).OpenAIRealtimeWebSocket({ model: order.model }, client);
  const lost = new Promise((_, reject) => call.on("error", (error) => reject(error)));
  call.on("event", (event) => account.take(event));
  await Promise.race([lost, hold(order, account, "ga", (event) => call.send(event))]);
  const ended = new Promise((resolve) => call.socket.addEventListener("close", resolve));
  call.close();
  await ended;
}
