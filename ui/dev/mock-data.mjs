// Invented sessions for developing the web app without a gateway: a support call with a tool, an interruption
// and an error, and its sound (tones instead of voices).

const RATE = 24_000;
const SPAN = {
  status: "completed",
  error: null,
  input: null,
  output: null,
  usage: null,
  cost_usd: null,
  metrics: {},
  attachments: [],
};

const clip = (id, track, duration_ms) => ({
  id: `att_${id}_${track}`,
  name: `${track}.wav`,
  content_type: "audio/wav",
  duration_ms,
  track,
  url: `/api/sessions/demo/attachments/att_${id}_${track}`,
});
const said = (type, id, parent_id, start_ms, end_ms, transcript, more = {}) => ({
  ...SPAN,
  id,
  parent_id,
  type,
  name: type === "user" ? "user" : "response",
  start_ms,
  end_ms,
  [type === "user" ? "input" : "output"]: { transcript },
  attachments: [clip(id, type === "user" ? "user" : "heard", end_ms - start_ms)],
  ...more,
});
const waits = (endpointing_delay, commit_to_response, model_ttfa, playback_queue, lead_silence) => ({
  endpointing_delay,
  commit_to_response,
  model_ttfa,
  playback_queue,
  lead_silence,
  v2v_heard: endpointing_delay + commit_to_response + model_ttfa + playback_queue + lead_silence,
});
const turn = (n, start_ms, end_ms) => ({
  ...SPAN,
  id: `t${n}`,
  parent_id: "s",
  type: "turn",
  name: `Turn ${n}`,
  start_ms,
  end_ms,
});
const tool = (id, parent_id, name, start_ms, end_ms, input, output, more = {}) => ({
  ...SPAN,
  id,
  parent_id,
  type: "tool",
  name,
  start_ms,
  end_ms,
  input,
  output,
  ...more,
});

export const SPANS = [
  { ...SPAN, id: "s", parent_id: null, type: "session", name: "session", start_ms: 0, end_ms: 34_000 },
  turn(1, 900, 12_500),
  said("user", "u1", "t1", 900, 3700, "Hi, can you check the status of my order A12345?"),
  said("response", "r1", "t1", 4500, 6200, "Let me pull that up.", {
    metrics: waits(500, 40, 260, 0, 30),
    usage: { input_tokens: 312, output_tokens: 402 },
    cost_usd: 0.0121,
  }),
  tool(
    "f1",
    "r1",
    "get_order_status",
    6350,
    9150,
    { order_id: "A12345" },
    { status: "In transit", eta: "2026-01-25" },
  ),
  said(
    "response",
    "r2",
    "t1",
    9420,
    13_070,
    "Your order is in transit and should arrive on January 25th. Would you like me to text you the tracking link?",
    {
      status: "cancelled",
      metrics: { ...waits(0, 20, 230, 0, 20), audio_generated_ms: 6500, audio_heard_ms: 3650 },
      cost_usd: 0.0164,
    },
  ),
  turn(2, 12_600, 20_300),
  said("user", "u2", "t2", 12_600, 14_100, "No wait, I said a refund."),
  said("response", "r3", "t2", 14_900, 14_960, "", {
    status: "failed",
    output: null,
    attachments: [],
    error: { message: "The server had an error while processing your request.", code: "server_error" },
  }),
  turn(3, 21_000, 34_000),
  said("user", "u3", "t3", 21_000, 24_200, "Hello? I would like a refund for it, please."),
  tool(
    "f2",
    "t3",
    "refund_order",
    24_500,
    25_100,
    { order_id: "A12345", reason: "customer_request" },
    { refunded: true, amount_usd: 49.9, reference: "RF-20931" },
  ),
  said(
    "response",
    "r4",
    "t3",
    25_280,
    31_400,
    "Done: 49 dollars and 90 cents go back to your card. The reference is R F 2 0 9 3 1. Is there anything else?",
    { metrics: waits(520, 60, 450, 10, 40), cost_usd: 0.0133 },
  ),
];

const VOICED = {
  user: [
    [900, 3700],
    [12_600, 14_100],
    [21_000, 24_200],
  ],
  assistant: [
    [4500, 6200],
    [9420, 15_920],
    [25_280, 31_400],
  ],
  heard: [
    [4500, 6200],
    [9420, 13_070],
    [25_280, 31_400],
  ],
};

const syllable = (ms) =>
  0.25 + 0.75 * Math.abs(Math.sin(ms / 90) * Math.sin(ms / 510 + 1) * Math.cos(ms / 1330));
const level = (lane, ms) =>
  VOICED[lane].some(([from, to]) => ms >= from && ms < to) ? 0.6 * syllable(ms) : 0;

export function peaks(untilMs = 34_000) {
  const lane = (name) => Array.from({ length: untilMs / 20 }, (_, i) => level(name, i * 20));
  return { per_second: 50, user: lane("user"), assistant: lane("assistant"), heard: lane("heard") };
}

/** A WAV file with tones where somebody speaks. */
export function wav(fromMs, toMs, lanes) {
  const frames = Math.floor(((toMs - fromMs) / 1000) * RATE);
  const data = Buffer.alloc(44 + frames * 2);
  data.write("RIFF", 0);
  data.writeUInt32LE(36 + frames * 2, 4);
  data.write("WAVEfmt ", 8);
  data.writeUInt32LE(16, 16);
  data.writeUInt16LE(1, 20);
  data.writeUInt16LE(1, 22);
  data.writeUInt32LE(RATE, 24);
  data.writeUInt32LE(RATE * 2, 28);
  data.writeUInt16LE(2, 32);
  data.writeUInt16LE(16, 34);
  data.write("data", 36);
  data.writeUInt32LE(frames * 2, 40);
  for (let i = 0; i < frames; i += 1) {
    const ms = fromMs + (i / RATE) * 1000;
    const user = lanes.includes("user") ? level("user", ms) * Math.sin((2 * Math.PI * 220 * i) / RATE) : 0;
    const heard = lanes.includes("heard") ? level("heard", ms) * Math.sin((2 * Math.PI * 330 * i) / RATE) : 0;
    data.writeInt16LE(Math.round((user + heard) * 9000), 44 + i * 2);
  }
  return data;
}

export const METRICS = {
  v2v_p50: 830,
  v2v_p95: 1080,
  endpointing_p50: 500,
  endpointing_p95: 520,
  model_ttfa_p50: 260,
  model_ttfa_p95: 450,
  yield_latency_p50: 450,
  overlap_ms: 450,
  dead_air_longest: 6900,
  talk_ratio: 0.64,
  snr_db: 27,
  cache_hit_rate: 0.71,
  tokens_audio_in: 612,
  tokens_audio_out: 1204,
  clipping: null,
};

const TITLES = [
  ["Order status, then a refund", "support", "gpt-realtime-2", "openai", "complete"],
  ["What is the weather in Oslo tomorrow?", "playground", "local", "local", "live"],
  ["Cancel my appointment on Thursday", "clinic", "gpt-realtime-2.1-mini", "openai", "complete"],
  ["I can't hear you, hello?", "support", "grok-voice-latest", "xai", "interrupted"],
  ["Reset my password", "support", "gpt-realtime-2", "azure", "failed"],
  [
    "Bonjour, je voudrais réserver une table pour quatre personnes samedi soir à vingt heures",
    "restaurant",
    "gpt-realtime-2",
    "openai",
    "complete",
  ],
];

/** Two people who talk in turn, in sixty digits each. */
function wave(index) {
  const lane = (mine) =>
    Array.from({ length: 60 }, (_, at) => {
      const turn = Math.floor((at + index) / (3 + (index % 5)));
      return turn % 2 === mine ? (3 + ((at * 7 + index * 5) % 13)).toString(16) : "0";
    }).join("");
  return { user: lane(0), assistant: lane(1) };
}

export function summary(index, nowMs = Date.now()) {
  const [title, project, model, provider, status] = TITLES[index % TITLES.length];
  const agoS = index * index * 97 + index * 41 + 12;
  return {
    id: index === 0 ? "demo" : index === 1 ? "demo-live" : `ses_${String(index).padStart(4, "0")}`,
    title,
    project,
    model,
    provider,
    status: index > 6 && status === "live" ? "complete" : status,
    started_at: new Date(nowMs - agoS * 1000).toISOString(),
    duration_ms: index === 0 ? 34_000 : 9000 + ((index * 7919) % 400) * 1000,
    turns: index === 0 ? 3 : 1 + ((index * 13) % 14),
    interruptions: index === 0 ? 1 : (index * 5) % 4,
    cost_usd: project === "playground" ? 0 : 0.0418 + ((index * 31) % 90) / 100,
    tags: index % 5 === 0 ? ["vip"] : [],
    metadata: index % 2 ? {} : { user_id: `u_${8841 + index}` },
    metrics: status === "failed" ? {} : { ...METRICS, v2v_p50: 640 + ((index * 173) % 900) },
    errors: index === 0 ? 1 : status === "failed" ? 2 : 0,
    credential_id: null,
    tools: index % 3 ? [] : ["get_order_status"],
    scores: {},
    excerpt: null,
    wave: status === "live" ? null : wave(index),
  };
}

export function detail(index, untilMs = 34_000) {
  const spans = SPANS.filter((span) => span.start_ms <= untilMs).map((span) =>
    span.end_ms > untilMs ? { ...span, end_ms: null } : span,
  );
  return {
    ...summary(index),
    spans,
    scores: [],
    events: [],
    events_count: null,
    errors: [
      {
        t_ms: 14_960,
        source: "response",
        message: "The server had an error while processing your request.",
        code: "server_error",
      },
    ],
    usage: { input_tokens: 924, output_tokens: 1606 },
    tracks: { user: { rate: RATE }, assistant: { rate: RATE }, heard: { rate: RATE }, mix: { rate: RATE } },
    close: untilMs < 34_000 ? null : { code: 1000, reason: "", side: "client" },
    config: { voice: "marin", turn_detection: { type: "server_vad", silence_duration_ms: 500 } },
  };
}

export function events(many) {
  const lines = [];
  const add = (ms, dir, msg) => lines.push(JSON.stringify({ t: ms * 1e6, dir, msg }));
  add(0, "gateway", { type: "opened", provider: "openai", dialect: "ga" });
  add(42, "server", {
    type: "session.created",
    session: { id: "sess_1", model: "gpt-realtime-2", voice: "marin" },
  });
  add(60, "client", {
    type: "session.update",
    session: { type: "realtime", instructions: "You help with orders." },
  });
  for (let i = 0; i < many; i += 1) {
    const ms = 100 + (i * 33_800) / many;
    const answer = level("assistant", ms) > 0;
    if (answer)
      add(ms, "server", {
        type: "response.output_audio.delta",
        item_id: "item_7",
        delta: "UklG".repeat(1600),
      });
    else add(ms, "client", { type: "input_audio_buffer.append", audio: "AAAA".repeat(640) });
    if (i % 90 === 0)
      add(ms, "server", {
        type: "response.output_audio_transcript.delta",
        delta: " your order",
        obfuscation: "x",
      });
  }
  add(14_960, "server", {
    type: "error",
    error: {
      type: "server_error",
      code: "server_error",
      message: "The server had an error while processing your request.",
    },
  });
  add(34_000, "gateway", { type: "closed", code: 1000, reason: "", side: "client" });
  return `${lines.join("\n")}\n`;
}
