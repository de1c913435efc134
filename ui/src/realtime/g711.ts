/** G.711 as the reference code of ITU-T G.191 has it: 16-bit samples to µ-law and A-law bytes and back. */

/** Ones' complement: -1 and 0 are both the smallest step. */
const magnitude = (sample: number) => (sample < 0 ? ~sample : sample);

/** How often a step of `first` doubles up to `value`, at most 7. */
function segmentOf(value: number, first: number): number {
  let segment = 0;
  while (segment < 7 && value >= first << segment) segment += 1;
  return segment;
}

export function encodeMulaw(sample: number): number {
  const biased = Math.min((magnitude(sample) >> 2) + 33, 0x1fff);
  const segment = segmentOf(biased, 64);
  const code = (segment << 4) | ((biased >> (segment + 1)) & 0x0f);
  return (code | (sample < 0 ? 0x80 : 0)) ^ 0xff;
}

export function decodeMulaw(byte: number): number {
  const code = ~byte & 0xff;
  const size = ((((code & 0x0f) << 3) + 0x84) << ((code >> 4) & 7)) - 0x84;
  return code & 0x80 ? -size : size;
}

export function encodeAlaw(sample: number): number {
  const size = magnitude(sample) >> 4;
  const segment = segmentOf(size, 16);
  const mantissa = (size >> Math.max(segment - 1, 0)) & 0x0f;
  return ((segment << 4) | mantissa | (sample < 0 ? 0 : 0x80)) ^ 0x55;
}

export function decodeAlaw(byte: number): number {
  const code = byte ^ 0x55;
  const segment = (code >> 4) & 7;
  const mantissa = ((code & 0x0f) << 4) + 8;
  const size = segment === 0 ? mantissa : (mantissa + 0x100) << (segment - 1);
  return code & 0x80 ? size : -size;
}
