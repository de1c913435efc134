/** PCM as the Realtime protocol carries it: 24 kHz, mono, 16-bit little-endian, base64. */

export const RATE_HZ = 24_000;
const BASE64_CHUNK = 0x8000;

/** Samples of -1 to 1 as 16-bit integers; louder ones are clipped. */
export function floatToPcm16(samples: Float32Array): Int16Array<ArrayBuffer> {
  const out = new Int16Array(samples.length);
  for (let i = 0; i < samples.length; i += 1) {
    const sample = Math.max(-1, Math.min(1, samples[i] ?? 0));
    out[i] = Math.round(sample < 0 ? sample * 0x8000 : sample * 0x7fff);
  }
  return out;
}

export function pcm16ToFloat(samples: Int16Array): Float32Array<ArrayBuffer> {
  const out = new Float32Array(samples.length);
  for (let i = 0; i < samples.length; i += 1) out[i] = (samples[i] ?? 0) / 0x8000;
  return out;
}

/** Base64. */
export function textOf(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += BASE64_CHUNK) {
    text += String.fromCharCode(...bytes.subarray(i, i + BASE64_CHUNK));
  }
  return btoa(text);
}

export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  const raw = atob(text);
  const out = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i += 1) out[i] = raw.charCodeAt(i);
  return out;
}

export function encodePcm16(samples: Int16Array): string {
  const bytes = new Uint8Array(samples.length * 2);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < samples.length; i += 1) view.setInt16(i * 2, samples[i] ?? 0, true);
  return textOf(bytes);
}

/** Samples of a base64 text; a byte left over at the end is dropped. */
export function decodePcm16(text: string): Int16Array<ArrayBuffer> {
  const view = new DataView(bytesOf(text).buffer);
  const out = new Int16Array(view.byteLength >> 1);
  for (let i = 0; i < out.length; i += 1) out[i] = view.getInt16(i * 2, true);
  return out;
}

export function framesToMs(frames: number, rateHz: number = RATE_HZ): number {
  return (frames / rateHz) * 1000;
}

/** The level of a piece of sound for a meter: 0 at -54 dBFS or less, 1 at full scale. */
export function meterLevel(samples: Float32Array): number {
  if (samples.length === 0) return 0;
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const decibels = 20 * Math.log10(Math.sqrt(sum / samples.length) + 1e-9);
  return Math.max(0, Math.min(1, 1 + decibels / 54));
}
