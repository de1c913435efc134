/** Both sides of a call in one ear each, or, where one is mute, the other in the middle. */

export interface Muted {
  user: boolean;
  assistant: boolean;
}

export const NOBODY_MUTED: Muted = { user: false, assistant: false };
const MIDDLE = 0.75;

/** How loud each side is in the left and the right ear. */
export function loudness({ user, assistant }: Muted): [user: [number, number], assistant: [number, number]] {
  const alone = user !== assistant ? MIDDLE : null;
  return [user ? [0, 0] : [alone ?? 1, alone ?? 0], assistant ? [0, 0] : [alone ?? 0, alone ?? 1]];
}

export class Sides {
  readonly input: ChannelSplitterNode;
  readonly output: ChannelMergerNode;
  private readonly gains: GainNode[][];

  constructor(private readonly context: AudioContext) {
    this.input = context.createChannelSplitter(2);
    this.output = context.createChannelMerger(2);
    this.gains = [0, 1].map((side) =>
      [0, 1].map((ear) => {
        const gain = context.createGain();
        this.input.connect(gain, side);
        gain.connect(this.output, 0, ear);
        return gain;
      }),
    );
    this.set(NOBODY_MUTED);
  }

  set(muted: Muted): void {
    loudness(muted).forEach((ears, side) => {
      ears.forEach((level, ear) => {
        this.gains[side]?.[ear]?.gain.setTargetAtTime(level, this.context.currentTime, 0.01);
      });
    });
  }
}
