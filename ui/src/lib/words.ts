/** Words of a transcript and where they sound: transcripts carry no times, so by their share of the letters. */
import type { Stretch } from "./peaks";

export interface Word {
  text: string;
  /** Shares of the whole text, 0 to 1. */
  from: number;
  to: number;
}

/** Each with the space behind it. */
export function wordsOf(text: string): Word[] {
  const total = Math.max(1, text.length);
  let at = 0;
  return text.split(/(?<=\s)(?=\S)/).map((word) => {
    const from = at / total;
    at += word.length;
    return { text: word, from, to: at / total };
  });
}

export function wordAt(words: Word[], sound: Stretch, ms: number): number | null {
  if (ms < sound.fromMs || ms >= sound.toMs) return null;
  const share = (ms - sound.fromMs) / (sound.toMs - sound.fromMs);
  const found = words.findIndex((word) => share < word.to);
  return found < 0 ? null : found;
}

export function timeOf(word: Word, sound: Stretch): number {
  return sound.fromMs + word.from * (sound.toMs - sound.fromMs);
}
