// A pretend provider for developing the playground: hears speech by its loudness, answers with a tone, can be
// interrupted, calls get_weather when the typed text mentions the weather.
import { createHash, randomUUID } from "node:crypto";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const LOUD = 900;
const SILENCE_MS = 500;
const ANSWER =
  "This is the pretend provider speaking. It says a long sentence, so that you can try to interrupt it while it plays.";

function frame(text, opcode = 1) {
  const body = Buffer.isBuffer(text) ? text : Buffer.from(text);
  const long = body.length > 65_535 ? 8 : body.length > 125 ? 2 : 0;
  const head = Buffer.alloc(2 + long);
  head[0] = 0x80 | opcode;
  head[1] = long === 8 ? 127 : long === 2 ? 126 : body.length;
  if (long === 2) head.writeUInt16BE(body.length, 2);
  if (long === 8) head.writeBigUInt64BE(BigInt(body.length), 2);
  return Buffer.concat([head, body]);
}

/** Frames out of the stream; the rest that is not a whole frame is given back. */
function unframe(data, onText, onClose) {
  let rest = data;
  while (rest.length >= 6) {
    const code = rest[1] & 0x7f;
    const long = code === 127 ? 8 : code === 126 ? 2 : 0;
    if (rest.length < 6 + long) break;
    const size = long === 8 ? Number(rest.readBigUInt64BE(2)) : long === 2 ? rest.readUInt16BE(2) : code;
    const start = 6 + long;
    if (rest.length < start + size) break;
    const mask = rest.subarray(start - 4, start);
    const body = Buffer.from(rest.subarray(start, start + size));
    for (let i = 0; i < size; i += 1) body[i] ^= mask[i % 4];
    if ((rest[0] & 15) === 8) onClose();
    else onText(body.toString());
    rest = rest.subarray(start + size);
  }
  return rest;
}

class Provider {
  constructor(send) {
    this.send = (event) => send({ event_id: `event_${randomUUID()}`, ...event });
    this.ms = 0;
    this.loudAt = null;
    this.item = null;
    this.vad = true;
    this.timers = [];
    this.send({ type: "session.created", session: { id: "sess_mock" } });
  }

  receive(event) {
    if (event.type === "session.update") {
      this.vad = event.session.audio?.input?.turn_detection !== null;
      this.send({ type: "session.updated", session: event.session });
    }
    if (event.type === "input_audio_buffer.append") this.hear(Buffer.from(event.audio, "base64"));
    if (event.type === "input_audio_buffer.commit") this.commit(`item_${randomUUID()}`);
    if (event.type === "conversation.item.create") this.create(event.item);
    if (event.type === "response.create") this.respond();
    if (event.type === "response.cancel") this.cancel("client_cancelled");
    if (event.type === "conversation.item.truncate")
      this.send({ ...event, type: "conversation.item.truncated" });
  }

  hear(pcm) {
    let sum = 0;
    for (let i = 0; i + 1 < pcm.length; i += 2) sum += pcm.readInt16LE(i) ** 2;
    this.ms += pcm.length / 48;
    if (!this.vad) return;
    if (Math.sqrt(sum / (pcm.length / 2)) > LOUD) {
      if (this.loudAt === null) {
        this.item = `item_${randomUUID()}`;
        this.send({ type: "input_audio_buffer.speech_started", audio_start_ms: this.ms, item_id: this.item });
        this.cancel("turn_detected");
      }
      this.loudAt = this.ms;
    } else if (this.loudAt !== null && this.ms - this.loudAt > SILENCE_MS) {
      this.loudAt = null;
      this.send({ type: "input_audio_buffer.speech_stopped", audio_end_ms: this.ms, item_id: this.item });
      this.commit(this.item);
      this.respond();
    }
  }

  commit(item_id) {
    this.send({ type: "input_audio_buffer.committed", item_id });
    this.send({
      type: "conversation.item.added",
      item: {
        id: item_id,
        type: "message",
        role: "user",
        content: [{ type: "input_audio", transcript: null }],
      },
    });
    const transcript = "What did you hear?";
    this.later(300, () =>
      this.send({ type: "conversation.item.input_audio_transcription.completed", item_id, transcript }),
    );
  }

  create(item) {
    this.send({ type: "conversation.item.added", item: { id: `item_${randomUUID()}`, ...item } });
    this.wantsTool = /weather/i.test(item.content?.[0]?.text ?? "");
  }

  later(ms, act) {
    this.timers.push(setTimeout(act, ms));
  }

  respond() {
    const id = `resp_${randomUUID()}`;
    this.response = id;
    this.send({ type: "response.created", response: { id, status: "in_progress" } });
    if (this.wantsTool) this.later(120, () => this.callTool(id));
    else this.later(250, () => this.speak(id, `item_${randomUUID()}`));
    this.wantsTool = false;
  }

  callTool(id) {
    const call = {
      type: "function_call",
      id: `item_${randomUUID()}`,
      call_id: `call_${randomUUID()}`,
      name: "get_weather",
    };
    const args = JSON.stringify({ city: "Oslo" });
    this.send({ type: "response.output_item.added", response_id: id, item: { ...call, arguments: "" } });
    this.send({ type: "response.function_call_arguments.delta", item_id: call.id, delta: args });
    this.send({ type: "response.function_call_arguments.done", item_id: call.id, arguments: args });
    this.done(id, "completed", [{ ...call, arguments: args }]);
  }

  speak(id, item_id) {
    this.send({
      type: "response.output_item.added",
      response_id: id,
      item: { id: item_id, type: "message", role: "assistant" },
    });
    ANSWER.split(/(?<= )/).forEach((delta, i, words) => {
      this.later(i * 60, () => {
        this.send({ type: "response.output_audio_transcript.delta", response_id: id, item_id, delta });
        this.send({
          type: "response.output_audio.delta",
          response_id: id,
          item_id,
          content_index: 0,
          delta: tone(280, i),
        });
        if (i === words.length - 1) this.done(id, "completed", []);
      });
    });
  }

  done(id, status, output, status_details = null) {
    this.response = null;
    this.send({ type: "response.done", response: { id, status, status_details, output } });
  }

  cancel(reason) {
    if (!this.response) return;
    for (const timer of this.timers.splice(0)) clearTimeout(timer);
    this.done(this.response, "cancelled", [], { type: "cancelled", reason });
  }
}

function tone(ms, nth) {
  const pcm = Buffer.alloc(ms * 48);
  for (let i = 0; i < ms * 24; i += 1) {
    const swell = Math.sin((Math.PI * i) / (ms * 24));
    pcm.writeInt16LE(
      Math.round(6000 * swell * Math.sin((2 * Math.PI * (300 + (nth % 5) * 40) * i) / 24_000)),
      i * 2,
    );
  }
  return pcm.toString("base64");
}

export function upgrade(request, socket) {
  const accept = createHash("sha1")
    .update(request.headers["sec-websocket-key"] + GUID)
    .digest("base64");
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${accept}\r\nsec-websocket-protocol: realtime\r\n\r\n`,
  );
  const provider = new Provider((event) => socket.writable && socket.write(frame(JSON.stringify(event))));
  let rest = Buffer.alloc(0);
  const close = () => socket.end(frame(Buffer.from([3, 232]), 8));
  socket.on("data", (data) => {
    rest = unframe(Buffer.concat([rest, data]), (text) => provider.receive(JSON.parse(text)), close);
  });
  socket.on("error", () => socket.destroy());
}
