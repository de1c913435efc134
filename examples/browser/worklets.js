// Both run in the browser's audio thread, at 24 kHz: the page makes its audio context with that rate.

const PIECE_SAMPLES = 2_400; // 100 ms

/** Microphone → Int16Array pieces to the page. */
class Recorder extends AudioWorkletProcessor {
  piece = new Int16Array(PIECE_SAMPLES);
  filled = 0;

  process([input]) {
    for (const sample of input[0] ?? []) {
      this.piece[this.filled++] = Math.max(-1, Math.min(1, sample)) * 0x7fff;
      if (this.filled === PIECE_SAMPLES) {
        this.port.postMessage(this.piece.slice());
        this.filled = 0;
      }
    }
    return true;
  }
}

/**
 * Plays {itemId, samples} in the order in which they come. On "stop" it is silent at once and answers with the
 * items that were cut off, and how much of each was played: only the player knows what was heard.
 */
class Player extends AudioWorkletProcessor {
  queue = [];
  offset = 0; // into the first of the queue
  played = new Map(); // samples, by item

  constructor() {
    super();
    this.port.onmessage = ({ data }) => (data === "stop" ? this.stop() : this.queue.push(data));
  }

  stop() {
    const itemIds = new Set(this.queue.map(({ itemId }) => itemId));
    const cut = [...itemIds].map((itemId) => ({ itemId, playedMs: (this.played.get(itemId) ?? 0) / (sampleRate / 1000) }));
    this.port.postMessage(cut);
    this.queue = [];
    this.offset = 0;
  }

  process(_inputs, [output]) {
    const speaker = output[0];
    for (let at = 0; at < speaker.length && this.queue.length > 0; ) {
      const { itemId, samples } = this.queue[0];
      const count = Math.min(speaker.length - at, samples.length - this.offset);
      for (let i = 0; i < count; i += 1) speaker[at + i] = samples[this.offset + i] / 0x8000;
      this.played.set(itemId, (this.played.get(itemId) ?? 0) + count);
      at += count;
      this.offset += count;
      if (this.offset === samples.length) {
        this.queue.shift();
        this.offset = 0;
      }
    }
    return true;
  }
}

registerProcessor("recorder", Recorder);
registerProcessor("player", Player);
