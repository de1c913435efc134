// OpenAI's Agents SDK for JavaScript, in Node and in a browser: an agent with a tool, over its WebSocket transport.
import { OpenAIRealtimeWebSocket, RealtimeAgent, RealtimeSession, tool } from "@openai/agents-realtime";
import { z } from "zod";
import { answered, COUNT, FORECAST, GET_WEATHER, INSTRUCTIONS, pieces, TRANSCRIPTION, VAD, wsUrl } from "../talk.mjs";

export async function converse(order, account) {
  account.events = [];
  const weather = tool({
    name: GET_WEATHER.name,
    description: GET_WEATHER.description,
    parameters: z.object({ city: z.string() }),
    execute: () => FORECAST,
  });
  const agent = new RealtimeAgent({ name: "Host", instructions: INSTRUCTIONS, tools: [weather] });
  const url = `${wsUrl(order)}?model=${order.model}`;
  const session = new RealtimeSession(agent, {
    transport: new OpenAIRealtimeWebSocket({ url, useInsecureApiKey: true }),
    model: order.model,
    tracingDisabled: true,
    config: { audio: { input: { transcription: TRANSCRIPTION, turnDetection: VAD } } },
  });
  session.on("transport_event", (event) => event.event_id && account.note(event));
  session.on("audio", ({ responseId, data }) => account.hear(responseId, new Uint8Array(data)));
  session.on("agent_end", (_context, _agent, words) => words && account.words.push(words));
  session.on("agent_tool_start", (_context, _agent, _tool, { toolCall }) => {
    const { name, arguments: words, callId: call_id } = toolCall;
    account.tools.push({ name, arguments: words, call_id });
  });
  session.on("history_updated", (history) => {
    const spoken = history.flatMap(({ role, content }) => (role === "user" ? content : []));
    account.heard = spoken.flatMap(({ type, transcript }) => (type === "input_audio" && transcript) || []);
  });
  session.on("error", ({ error }) => account.errors.push(error));
  await session.connect({ apiKey: order.key });
  session.sendMessage(COUNT);
  await account.until("response.done", "rate_limits.updated");
  if (order.whole) {
    for (const piece of pieces(order.speech)) session.sendAudio(piece.buffer);
    await answered(account);
  }
  const ended = new Promise((resolve) =>
    session.transport.on("connection_change", (status) => status === "disconnected" && resolve()),
  );
  session.close();
  await ended;
}
