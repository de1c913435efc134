/**
 * Sound between the page and the wire: the page works with 16-bit samples at 24 kHz, the wire with base64 of what the
 * session's formats say. One encoder and one decoder for each call, because resampling has a memory.
 */
import { decodeAlaw, decodeMulaw, encodeAlaw, encodeMulaw } from "./g711";
import { bytesOf, decodePcm16, encodePcm16, floatToPcm16, pcm16ToFloat, RATE_HZ, textOf } from "./pcm";
import { Resampler } from "./resampler";
import type { WireFormat } from "./settings";

const G711_HZ = 8_000;

export type Encoder = (samples: Int16Array) => string;
export type Decoder = (text: string) => Int16Array<ArrayBuffer>;

/** How long a base64 text of that format plays. */
export function wireMs(format: WireFormat, characters: number): number {
  const bytes = (characters * 3) / 4;
  return format === "audio/pcm" ? (bytes / 2 / RATE_HZ) * 1000 : (bytes / G711_HZ) * 1000;
}

export function encoderFor(format: WireFormat): Encoder {
  if (format === "audio/pcm") return encodePcm16;
  const resampler = new Resampler(RATE_HZ, G711_HZ);
  const encode = format === "audio/pcmu" ? encodeMulaw : encodeAlaw;
  return (samples) => {
    const slow = floatToPcm16(resampler.push(pcm16ToFloat(samples)));
    return textOf(Uint8Array.from(slow, encode));
  };
}

export function decoderFor(format: WireFormat): Decoder {
  if (format === "audio/pcm") return decodePcm16;
  const resampler = new Resampler(G711_HZ, RATE_HZ);
  const decode = format === "audio/pcmu" ? decodeMulaw : decodeAlaw;
  return (text) => floatToPcm16(resampler.push(pcm16ToFloat(Int16Array.from(bytesOf(text), decode))));
}
