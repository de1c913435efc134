// The official SDKs for Node, OpenAI's and Anthropic's: asks every question of an order that comes on standard
// input, and prints by name what came, or which error the SDK raised.
import Anthropic from "@anthropic-ai/sdk";
import OpenAI, { toFile } from "openai";
import { ResponsesWS } from "openai/resources/responses/ws";

const order = JSON.parse(await new Response(process.stdin).text());
const { PICTURE, SOUND } = order;
const messages = [{ role: "user", content: "Hi" }];
const declared = { name: "find", parameters: { type: "object", properties: {} } };
const chatTools = [{ type: "function", function: declared }];
const tools = [{ type: "function", strict: false, ...declared }];
const claudeTools = [{ name: "find", input_schema: { type: "object" } }];
const call = { id: "call_1", type: "function", function: { name: "find", arguments: "{}" } };
const png = `data:image/png;base64,${PICTURE}`;
const sound = Buffer.from(SOUND, "base64");
const file = () => toFile(sound, "a.wav", { type: "audio/wav" });
const picture = () => toFile(Buffer.from("png"), "a.png", { type: "image/png" });
const told = [
  ...messages,
  { role: "assistant", tool_calls: [call] },
  { role: "tool", tool_call_id: "call_1", content: "A1" },
];
const part = (...content) => [{ role: "user", content }];
const seen = part({ type: "text", text: "What is it?" }, { type: "image_url", image_url: { url: png } });
const looked = part({ type: "input_image", image_url: png, detail: "low" });
const claudeSeen = part({
  type: "image",
  source: { type: "base64", media_type: "image/png", data: PICTURE },
});
const heard = part({ type: "input_audio", input_audio: { data: "AAAA", format: "wav" } });
const voice = { modalities: ["text", "audio"], audio: { voice: "alloy", format: "pcm16" } };
const statuses = [400, 401, 403, 404, 409, 422, 429, 500, 503];

const chat = (c, more = {}, options) => c.chat.completions.create({ model: "m", messages, ...more }, options);
const respond = (c, more = {}, options) => c.responses.create({ model: "m", input: "Hi", ...more }, options);
const write = (c, more = {}, options) =>
  c.messages.create({ model: "m", max_tokens: 9, messages, ...more }, options);
const transcribe = async (c, more = {}) =>
  c.audio.transcriptions.create({ model: "whisper-1", file: await file(), ...more });
const bytes = async (answer) => Buffer.from(await (await answer).arrayBuffer()).toString("base64");
const again = { maxRetries: 2 };

async function gathered(stream) {
  const events = [];
  for await (const event of await stream) events.push(event);
  return events;
}

// The first three, and then the client hangs up.
async function left(stream) {
  const opened = await stream;
  const events = [];
  for await (const event of opened) {
    events.push(event);
    if (events.length === 3) break;
  }
  opened.controller.abort();
  return events;
}

async function overSocket(client) {
  const socket = new ResponsesWS(client);
  const events = [];
  const turn = (more) =>
    new Promise((resolve, reject) => {
      const take = (event) => {
        events.push(event);
        if (event.type !== "response.completed" && event.type !== "error") return;
        socket.off("event", take);
        resolve(event);
      };
      socket.on("error", reject);
      socket.on("event", take);
      socket.send({ type: "response.create", model: "m", store: false, ...more });
    });
  const first = await turn({ input: "Hi", tools });
  const output = { type: "function_call_output", call_id: "call_1", output: "A1" };
  await turn({ input: [output], previous_response_id: first.response?.id });
  socket.close();
  return events;
}

const OPENAI = {
  chat: (c) => chat(c),
  "chat streamed": (c) => gathered(chat(c, { stream: true })),
  "chat with tools": (c) => chat(c, { tools: chatTools }),
  "chat with tools streamed": (c) => gathered(chat(c, { tools: chatTools, stream: true })),
  "chat put together by the SDK": (c) =>
    c.chat.completions.stream({ model: "m", messages, tools: chatTools }).finalChatCompletion(),
  "chat with a tool's answer": (c) => chat(c, { messages: told }),
  "chat with a picture": (c) => chat(c, { messages: seen }),
  "chat with sound": (c) => chat(c, { messages: heard, ...voice }),
  "chat with sound streamed": (c) => gathered(chat(c, { messages: heard, stream: true, ...voice })),
  responses: (c) => respond(c),
  "responses streamed": (c) => gathered(respond(c, { stream: true })),
  "responses with tools": (c) => respond(c, { tools }),
  "responses with tools streamed": (c) => gathered(respond(c, { tools, stream: true })),
  "responses with a picture": (c) => respond(c, { input: looked }),
  "responses on a socket": overSocket,
  embeddings: (c) => c.embeddings.create({ model: "m", input: "Hi" }),
  moderations: (c) => c.moderations.create({ input: "Hi" }),
  speech: (c) => bytes(c.audio.speech.create({ model: "tts-1", voice: "alloy", input: "Hello" })),
  "speech as events": (c) =>
    bytes(c.audio.speech.create({ model: "tts-1", voice: "alloy", input: "Hello", stream_format: "sse" })),
  transcription: (c) => transcribe(c),
  "transcription streamed": (c) => gathered(transcribe(c, { model: "gpt-4o-transcribe", stream: true })),
  translation: async (c) => c.audio.translations.create({ model: "whisper-1", file: await file() }),
  image: (c) => c.images.generate({ model: "m", prompt: "A cat" }),
  "image streamed": (c) =>
    gathered(c.images.generate({ model: "m", prompt: "A cat", stream: true, partial_images: 1 })),
  "edited image": async (c) => c.images.edit({ model: "m", image: await picture(), prompt: "A dog" }),
  ...Object.fromEntries(statuses.map((n) => [`refused with ${n}`, (c) => chat(c, { model: `fails-${n}` })])),
  "a stream refused": (c) => gathered(chat(c, { model: "fails-400", stream: true })),
  "a file refused": (c) => transcribe(c, { model: "fails-400" }),
  "tried again": (c) => chat(c, { model: "tries-429" }, again),
  "a stream tried again": (c) => gathered(respond(c, { model: "tries-500", stream: true }, again)),
  "stream cut": (c) => gathered(chat(c, { model: "cuts", stream: true })),
  "chat left": (c) => left(chat(c, { model: "endless", stream: true })),
  "responses left": (c) => left(respond(c, { model: "endless", stream: true })),
  "transcription left": (c) => left(transcribe(c, { model: "endless", stream: true })),
};
const ANTHROPIC = {
  messages: (c) => write(c),
  "messages streamed": (c) => gathered(write(c, { stream: true })),
  "messages with tools": (c) => write(c, { tools: claudeTools }),
  "messages with tools streamed": (c) => gathered(write(c, { tools: claudeTools, stream: true })),
  "messages put together by the SDK": (c) =>
    c.messages.stream({ model: "m", max_tokens: 9, messages, tools: claudeTools }).finalMessage(),
  "messages with a picture": (c) => write(c, { messages: claudeSeen }),
  "count of tokens": (c) => c.messages.countTokens({ model: "m", messages }),
  ...Object.fromEntries(
    [...statuses, 529].map((n) => [`Anthropic refused with ${n}`, (c) => write(c, { model: `fails-${n}` })]),
  ),
  "messages tried again": (c) => write(c, { model: "tries-429" }, again),
  "messages cut": (c) => gathered(write(c, { model: "cuts", stream: true })),
  "messages left": (c) => left(write(c, { model: "endless", stream: true })),
};

// What the SDK raised, without words about this machine's sockets.
const raised = (error) => ({ raised: error.constructor.name, status: error.status, body: error.error });

const answers = {};
for (const [questions, client] of [
  [OPENAI, new OpenAI({ baseURL: order.base, apiKey: order.key, maxRetries: 0 })],
  [ANTHROPIC, new Anthropic({ baseURL: order.base.replace(/\/v1$/, ""), apiKey: order.key, maxRetries: 0 })],
])
  for (const [name, ask] of Object.entries(questions)) answers[name] = await ask(client).catch(raised);
console.log(JSON.stringify(answers));
process.exit(0);
