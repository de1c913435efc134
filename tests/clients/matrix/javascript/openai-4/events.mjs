// OpenAI's own npm package 4.x with its beta client, in Node: `ws` and `native` for its two classes.
import OpenAI from "openai";
import { OpenAIRealtimeWebSocket } from "openai/beta/realtime/websocket";
import { OpenAIRealtimeWS } from "openai/beta/realtime/ws";
import { hold } from "../talk.mjs";

const CLASSES = { ws: OpenAIRealtimeWS, native: OpenAIRealtimeWebSocket };

export async function converse(order, account, variant) {
  account.events = [];
  const client = new OpenAI({ baseURL: order.url, apiKey: order.key });
  const call = new CLASSES[variant]({ model: order.model }, client);
  const lost = new Promise((_, reject) => call.on("error", (error) => reject(error)));
  call.on("event", (event) => account.take(event));
  await Promise.race([lost, hold(order, account, "beta", (event) => call.send(event))]);
  const ended = new Promise((resolve) => call.socket.addEventListener("close", resolve));
  call.close();
  await ended;
}
