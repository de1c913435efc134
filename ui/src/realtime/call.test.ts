import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Speaker } from "./audio";
import type { Socket, VoiceCall } from "./call";
import type { ClientEvent, ServerEvent } from "./events";
import { encodePcm16 } from "./pcm";
import { PlaybackQueue } from "./playback-queue";
import { type CallSettings, DEFAULTS, type TalkMode } from "./settings";
import { Stage, type StageDevices } from "./stage";
import { truncations } from "./truncation";

/** A provider's end of the socket: keeps what the call sent, says what a test wants said. */
class FakeSocket implements Socket {
  sent: ClientEvent[] = [];
  closedWith: number | undefined;
  onopen: Socket["onopen"] = null;
  onmessage: Socket["onmessage"] = null;
  onclose: Socket["onclose"] = null;
  send(text: string) {
    this.sent.push(JSON.parse(text) as ClientEvent);
  }
  close(code?: number) {
    this.closedWith = code;
  }
  say(event: ServerEvent) {
    this.onmessage?.({ data: JSON.stringify(event) });
  }
  types() {
    return this.sent.map((event) => event.type);
  }
}

/** A loudspeaker without sound: the real queue, pulled by the test. */
class FakeSpeaker implements Speaker {
  queue = new PlaybackQueue();
  closed = false;
  get playing() {
    return this.queue.pendingFrames > 0;
  }
  play(itemId: string, contentIndex: number, samples: Int16Array) {
    this.queue.push(itemId, contentIndex, new Float32Array(samples.length));
  }
  hear(ms: number) {
    this.queue.pull(new Float32Array(ms * 24));
  }
  async flush() {
    return truncations(this.queue.flush(), 0);
  }
  setMuted() {}
  close() {
    this.closed = true;
  }
}

const SETTINGS: CallSettings = { ...DEFAULTS, instructions: " Be brief. " };

let socket: FakeSocket;
let speaker: FakeSpeaker;
let sockets: FakeSocket[];
let speak: (ms: number) => void;
let micError: unknown;

const devices: StageDevices = {
  credential: async () => ({ key: "ek_test", id: "cred_1", expires_at: 0 }),
  socket: () => {
    socket = new FakeSocket();
    sockets.push(socket);
    return socket;
  },
  speaker: async () => {
    speaker = new FakeSpeaker();
    return speaker;
  },
  microphone: async (onPiece) => {
    if (micError) throw micError;
    speak = (ms) => onPiece(new Int16Array(ms * 24), 0.7);
    return { label: "Fake microphone", close: () => {} };
  },
  microphoneProblem: () => "The microphone is blocked.",
  now: () => 0,
};

async function staged(settings: CallSettings[], mode: TalkMode = "hands-free"): Promise<Stage> {
  const stage = new Stage(settings, mode, null, devices);
  await stage.connect();
  for (const one of sockets) one.onopen?.();
  await vi.waitFor(() => expect(["open", "unavailable"]).toContain(stage.snapshot.input));
  return stage;
}

const first = (stage: Stage): VoiceCall => stage.calls[0] as VoiceCall;

async function connected(mode: TalkMode = "hands-free"): Promise<VoiceCall> {
  return first(await staged([SETTINGS], mode));
}

function answer(itemId: string, ms: number) {
  const item = { id: itemId, type: "message", role: "assistant" };
  socket.say({ type: "response.created", response: { id: `resp_${itemId}` } });
  socket.say({ type: "response.output_item.added", response_id: `resp_${itemId}`, item });
  socket.say({
    type: "response.output_audio.delta",
    item_id: itemId,
    content_index: 0,
    delta: encodePcm16(new Int16Array(ms * 24)),
  });
}

beforeEach(() => {
  sockets = [];
  micError = null;
});

afterEach(() => {
  vi.restoreAllMocks();
});

test("the first message configures the session as chosen", async () => {
  await connected();
  const update = socket.sent[0] as { type: string; session: Record<string, unknown> };
  expect(update.type).toBe("session.update");
  expect(update.session).toMatchObject({ type: "realtime", instructions: "Be brief.", tool_choice: "auto" });
  expect(update.session.audio).toMatchObject({
    input: { transcription: { model: "whisper-1" }, turn_detection: { type: "server_vad" } },
    output: { voice: "marin" },
  });
});

test("speech over the assistant stops it and tells the provider what was heard", async () => {
  await connected();
  answer("item_1", 3000);
  speaker.hear(1200);
  socket.say({ type: "input_audio_buffer.speech_started", item_id: "item_u" });
  await vi.waitFor(() => expect(socket.types()).toContain("conversation.item.truncate"));
  expect(socket.sent.at(-1)).toEqual({
    type: "conversation.item.truncate",
    item_id: "item_1",
    content_index: 0,
    audio_end_ms: 1200,
  });
  expect(speaker.playing).toBe(false);
});

test("sound of an interrupted answer that is still on its way is not played", async () => {
  await connected();
  answer("item_1", 1000);
  socket.say({ type: "input_audio_buffer.speech_started", item_id: "item_u" });
  await vi.waitFor(() => expect(speaker.playing).toBe(false));
  socket.say({
    type: "response.output_audio.delta",
    item_id: "item_1",
    delta: encodePcm16(new Int16Array(2400)),
  });
  expect(speaker.playing).toBe(false);
  answer("item_2", 100);
  expect(speaker.playing).toBe(true);
});

test("speech after the assistant finished truncates nothing", async () => {
  await connected();
  answer("item_1", 100);
  speaker.hear(200);
  socket.say({ type: "input_audio_buffer.speech_started", item_id: "item_u" });
  await Promise.resolve();
  expect(socket.types()).not.toContain("conversation.item.truncate");
});

test("push to talk sends sound only while held, then commits and asks for an answer", async () => {
  const stage = await staged([SETTINGS], "push-to-talk");
  speak(40);
  expect(socket.types()).toEqual(["session.update"]);
  stage.hold();
  for (let i = 0; i < 5; i += 1) speak(40);
  stage.release();
  speak(40);
  expect(socket.types().slice(1)).toEqual([
    "input_audio_buffer.clear",
    ...new Array(5).fill("input_audio_buffer.append"),
    "input_audio_buffer.commit",
    "response.create",
  ]);
});

test("a press that is too short is not committed and says so", async () => {
  const stage = await staged([SETTINGS], "push-to-talk");
  stage.hold();
  speak(40);
  stage.release();
  expect(socket.types()).not.toContain("input_audio_buffer.commit");
  expect(first(stage).snapshot.transcript.entries[0]?.text).toContain("too short");
});

test("typed text interrupts before it asks", async () => {
  const call = await connected();
  answer("item_1", 2000);
  speaker.hear(500);
  await call.sendText("Stop. What time is it?");
  expect(socket.types().slice(1)).toEqual([
    "response.cancel",
    "conversation.item.truncate",
    "conversation.item.create",
    "response.create",
  ]);
});

test("the demo tool is answered once the response is complete, then a follow-up is asked for", async () => {
  const call = await connected();
  const output = [
    { type: "function_call", name: "get_weather", call_id: "c1", arguments: '{"city":"Oslo"}' },
  ];
  socket.say({
    type: "response.output_item.added",
    response_id: "r",
    item: { id: "i", ...output[0], arguments: "" },
  });
  socket.say({ type: "response.done", response: { id: "r", status: "completed", output } });
  expect(socket.types().slice(1)).toEqual(["conversation.item.create", "response.create"]);
  expect(call.snapshot.transcript.entries[0]?.tool?.output).toContain('"city": "Oslo"');
});

test("without a microphone the call goes on and the status says what to do", async () => {
  micError = new Error("no");
  const stage = await staged([SETTINGS]);
  expect(first(stage).snapshot.phase).toBe("live");
  expect(stage.snapshot).toMatchObject({
    input: "unavailable",
    inputText: "The microphone is blocked.",
  });
  await stage.sendText("Hello");
  expect(socket.types()).toContain("response.create");
});

test("a close by the provider is told in words with its code", async () => {
  const call = await connected();
  socket.onclose?.({ code: 4000, reason: "invalid_request_error.invalid_model" });
  expect(call.snapshot.phase).toBe("ended");
  expect(call.snapshot.failed).toBe(true);
  expect(call.snapshot.closeText).toContain("invalid_model");
  expect(call.snapshot.closeText).toContain("4000");
  expect(speaker.closed).toBe(true);
});

test("hanging up closes the socket and releases the sound", async () => {
  const call = await connected();
  call.hangUp();
  expect(socket.closedWith).toBe(1000);
  expect(speaker.closed).toBe(true);
  expect(call.snapshot).toMatchObject({ phase: "ended", failed: false, credentialId: "cred_1" });
});

test("two calls hear the same and each is told what was cut of its own answer", async () => {
  const stage = await staged([SETTINGS, { ...SETTINGS, voice: "cedar" }]);
  speak(40);
  const appended = sockets.map((one) => one.sent.at(-1));
  expect(appended[0]).toEqual(appended[1]);
  expect(appended[0]?.type).toBe("input_audio_buffer.append");
  await stage.sendText("Hello");
  for (const one of sockets)
    expect(one.types().slice(-2)).toEqual(["conversation.item.create", "response.create"]);
  answer("item_b", 1000);
  sockets[0]?.say({ type: "input_audio_buffer.speech_started", item_id: "u" });
  await Promise.resolve();
  expect(sockets[1]?.types()).not.toContain("conversation.item.truncate");
});

test("when one of two calls is refused the other one goes on and hears", async () => {
  const stage = new Stage([SETTINGS, SETTINGS], "hands-free", null, devices);
  await stage.connect();
  sockets[0]?.onopen?.();
  expect(stage.snapshot.input).toBe("off");
  sockets[1]?.onclose?.({ code: 4000, reason: "invalid_request_error.invalid_model" });
  await vi.waitFor(() => expect(stage.snapshot.input).toBe("open"));
  speak(40);
  expect(sockets[0]?.types()).toContain("input_audio_buffer.append");
  stage.hangUp();
  expect(stage.snapshot.input).toBe("off");
});

test("a picture goes along with the words", async () => {
  const call = await connected();
  await call.sendText("What is this?", ["data:image/png;base64,AA=="]);
  expect(socket.sent.at(-2)).toMatchObject({
    item: {
      content: [
        { type: "input_image", image_url: "data:image/png;base64,AA==" },
        { type: "input_text", text: "What is this?" },
      ],
    },
  });
});
