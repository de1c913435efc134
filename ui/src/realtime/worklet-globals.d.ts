/** What exists inside an AudioWorklet and is not in TypeScript's DOM library. */
declare const sampleRate: number;
declare abstract class AudioWorkletProcessor {
  readonly port: MessagePort;
  constructor(options?: unknown);
}
declare function registerProcessor(name: string, processor: new () => AudioWorkletProcessor): void;
