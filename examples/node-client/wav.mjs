// WAV files of 24 kHz mono 16-bit samples, which is `audio/pcm` in the Realtime protocol.

export const RATE = 24_000;
const WANTED = "24 kHz, mono, 16 bits; convert it with: ffmpeg -i IN -ar 24000 -ac 1 -c:a pcm_s16le OUT.wav";

/** The samples of a WAV file; an Error that says what to do when it has another shape. */
export function pcmOfWav(file) {
  let format = null;
  // A RIFF file is a list of chunks, each with a name, a length and a padding to an even one.
  for (let at = 12; at + 8 <= file.length; ) {
    const name = file.toString("latin1", at, at + 4);
    const length = file.readUInt32LE(at + 4);
    const body = file.subarray(at + 8, at + 8 + length);
    if (name === "fmt ") {
      format = { codec: body.readUInt16LE(0), channels: body.readUInt16LE(2), rate: body.readUInt32LE(4), bits: body.readUInt16LE(14) };
    }
    if (name === "data" && format) {
      const { codec, channels, rate, bits } = format;
      if (codec === 1 && channels === 1 && rate === RATE && bits === 16) return body;
      throw new Error(`The sound is ${rate} Hz, ${channels} channels, ${bits} bits. It must be ${WANTED}`);
    }
    at += 8 + length + (length % 2);
  }
  throw new Error(`This is no WAV file with samples. It must be ${WANTED}`);
}

export function wavOfPcm(pcm) {
  const header = Buffer.alloc(44);
  header.write("RIFF", 0, "latin1");
  header.writeUInt32LE(36 + pcm.length, 4);
  header.write("WAVEfmt ", 8, "latin1");
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(RATE, 24);
  header.writeUInt32LE(RATE * 2, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write("data", 36, "latin1");
  header.writeUInt32LE(pcm.length, 40);
  return Buffer.concat([header, pcm]);
}
