/** A sound file as the call needs it: mono, 24 kHz. The browser decodes whatever it knows (WAV, MP3, Ogg, FLAC …). */
import { floatToPcm16, RATE_HZ } from "./pcm";

export interface SoundFile {
  name: string;
  samples: Int16Array;
  seconds: number;
}

const LARGEST_BYTES = 200 << 20;

export async function readSoundFile(file: File): Promise<SoundFile> {
  if (file.size > LARGEST_BYTES) throw new Error(`${file.name} is larger than 200 MB. Choose a shorter one.`);
  // A context at our rate resamples while it decodes.
  const context = new OfflineAudioContext(1, 1, RATE_HZ);
  let sound: AudioBuffer;
  try {
    sound = await context.decodeAudioData(await file.arrayBuffer());
  } catch {
    throw new Error(`${file.name} is no sound file that this browser can read. Use a WAV file.`);
  }
  return { name: file.name, samples: floatToPcm16(mono(sound)), seconds: sound.duration };
}

function mono(sound: AudioBuffer): Float32Array {
  const channels = Array.from({ length: sound.numberOfChannels }, (_, at) => sound.getChannelData(at));
  const [first] = channels;
  if (!first || channels.length === 1) return first ?? new Float32Array();
  return first.map((_, at) => channels.reduce((sum, one) => sum + (one[at] ?? 0), 0) / channels.length);
}
