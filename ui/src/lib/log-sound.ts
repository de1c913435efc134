/**
 * The sound of an event log, for a case whose call is not there any more: JSON lines in, what the user said as a WAV
 * file out; of one turn only what was said in it.
 */
import { decoderFor } from "../realtime/codec";
import { RATE_HZ } from "../realtime/pcm";
import type { WireFormat } from "../realtime/settings";
import { fields } from "./trace";

interface Said {
  fromMs: number;
  toMs: number;
}

const FORMATS: readonly string[] = ["audio/pcm", "audio/pcmu", "audio/pcma"];
const WAV_HEAD_BYTES = 44;

function inputFormat(session: Record<string, unknown>): WireFormat | null {
  const { type } = fields(fields(fields(session.audio).input).format);
  if (typeof type === "string" && FORMATS.includes(type)) return type as WireFormat;
  const beta = { pcm16: "audio/pcm", g711_ulaw: "audio/pcmu", g711_alaw: "audio/pcma" }[
    String(session.input_audio_format)
  ];
  return (beta as WireFormat | undefined) ?? null;
}

/** Reads a log line by line. */
export class LogSound {
  private readonly pieces: Int16Array[] = [];
  private format: WireFormat = "audio/pcm";
  private decode = decoderFor("audio/pcm");
  private samples = 0;
  private committed = 0;
  private readonly turns: (Said | null)[] = [];
  private readonly speech = new Map<string, Said>();

  push(line: string): void {
    let message: Record<string, unknown>;
    try {
      message = fields(fields(JSON.parse(line)).msg);
    } catch {
      return; // half a line, at the end of a log
    }
    this.take(message);
  }

  private take(message: Record<string, unknown>): void {
    const { type } = message;
    if (type === "session.created" || type === "session.updated") this.configure(fields(message.session));
    if (type === "input_audio_buffer.append" && typeof message.audio === "string") this.append(message.audio);
    if (type === "input_audio_buffer.speech_started") this.begin(message);
    if (type === "input_audio_buffer.speech_stopped") this.end(message);
    if (type === "input_audio_buffer.committed") this.commit(message);
    if (type === "conversation.item.create") {
      const item = fields(message.item);
      // Typed: a turn without sound.
      if (item.type === "message" && item.role === "user") this.turns.push(null);
    }
  }

  private configure(session: Record<string, unknown>): void {
    const format = inputFormat(session);
    if (!format || format === this.format) return;
    this.format = format;
    this.decode = decoderFor(format);
  }

  private append(audio: string): void {
    try {
      const piece = this.decode(audio);
      this.pieces.push(piece);
      this.samples += piece.length;
    } catch {
      // No base64: the provider did not hear it either.
    }
  }

  private get nowMs(): number {
    return (this.samples * 1000) / RATE_HZ;
  }

  private begin({ item_id, audio_start_ms }: Record<string, unknown>): void {
    const said = {
      fromMs: typeof audio_start_ms === "number" ? audio_start_ms : this.nowMs,
      toMs: this.nowMs,
    };
    this.speech.set(String(item_id), said);
    this.turns.push(said);
  }

  private end({ item_id, audio_end_ms }: Record<string, unknown>): void {
    const said = this.speech.get(String(item_id));
    if (said) said.toMs = typeof audio_end_ms === "number" ? audio_end_ms : this.nowMs;
  }

  private commit({ item_id }: Record<string, unknown>): void {
    if (!this.speech.has(String(item_id))) this.turns.push({ fromMs: this.committed, toMs: this.nowMs });
    this.committed = this.nowMs;
  }

  /** Null where nothing was said. */
  wav(turn: number | null): ArrayBuffer | null {
    const all = new Int16Array(this.samples);
    let at = 0;
    for (const piece of this.pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    const said = turn === null ? { fromMs: 0, toMs: this.nowMs } : this.turns[turn];
    if (!said) return null;
    const place = (ms: number) => Math.round((Math.max(0, ms) * RATE_HZ) / 1000);
    const part = all.subarray(place(said.fromMs), place(said.toMs));
    return part.length > 0 ? wavOf(part) : null;
  }
}

export function wavOf(samples: Int16Array): ArrayBuffer {
  const data = new DataView(new ArrayBuffer(WAV_HEAD_BYTES + samples.length * 2));
  const text = (at: number, letters: string) => {
    for (let i = 0; i < letters.length; i += 1) data.setUint8(at + i, letters.charCodeAt(i));
  };
  text(0, "RIFF");
  data.setUint32(4, data.byteLength - 8, true);
  text(8, "WAVEfmt ");
  data.setUint32(16, 16, true);
  data.setUint16(20, 1, true);
  data.setUint16(22, 1, true);
  data.setUint32(24, RATE_HZ, true);
  data.setUint32(28, RATE_HZ * 2, true);
  data.setUint16(32, 2, true);
  data.setUint16(34, 16, true);
  text(36, "data");
  data.setUint32(40, samples.length * 2, true);
  samples.forEach((sample, i) => {
    data.setInt16(WAV_HEAD_BYTES + i * 2, sample, true);
  });
  return data.buffer;
}
