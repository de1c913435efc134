/**
 * The last half minute of a running call: what you said, what the assistant has generated, what of it was heard, and
 * marks between them. Drawn on a canvas from the call's activity; the newest is at the right.
 */
import { useEffect, useRef } from "react";
import type { Activity, Generated, Level, MarkKind } from "../../realtime/activity";
import type { VoiceCall } from "../../realtime/call";

const WINDOW_MS = 30_000;
const GRID_MS = 5_000;
const FRAME_MS = 33;
const LANE_PX = 30;
const MARKS_PX = 14;
const HEIGHT_PX = LANE_PX * 2 + MARKS_PX;
/** A level that comes later than this after the one before is not drawn together with it. */
const PIECE_MS = 60;

type Colour = "user" | "assistant" | "soft" | "line" | "ink" | "tool" | "bad";
type Colours = Record<Colour, string>;

const LEGEND: [Colour, string][] = [
  ["user", "You"],
  ["assistant", "Assistant, heard"],
  ["soft", "generated"],
  ["tool", "tool"],
  ["bad", "interruption, error"],
];

const MARK_COLOURS: Record<MarkKind, Colour> = {
  speech: "user",
  response: "assistant",
  tool: "tool",
  cut: "bad",
  error: "bad",
  image: "user",
};

/** Canvas knows no custom properties: the legend's own colours are asked for. */
function coloursOf(figure: HTMLElement): Colours {
  const entries = [...figure.querySelectorAll<HTMLElement>("[data-colour]")].map((element) => [
    element.dataset.colour,
    getComputedStyle(element).backgroundColor,
  ]);
  return Object.fromEntries(entries) as Colours;
}

class Painter {
  constructor(
    private readonly draw: CanvasRenderingContext2D,
    private readonly width: number,
    private readonly now: number,
    private readonly colours: Colours,
  ) {}

  private x(at: number): number {
    return this.width * (1 - (this.now - at) / WINDOW_MS);
  }

  paint(activity: Activity): void {
    this.draw.clearRect(0, 0, this.width, HEIGHT_PX);
    this.grid();
    this.levels(activity.user, 0, "user");
    const top = LANE_PX + MARKS_PX;
    for (const span of activity.unheard) this.hatch(span, top);
    // Over it: what came after the interruption takes the place of what was cut.
    for (const span of activity.generated) this.block(span, top);
    this.levels(activity.heard, top, "assistant");
    for (const mark of activity.marks) this.mark(mark.at, MARK_COLOURS[mark.kind], mark.kind);
  }

  private grid(): void {
    this.draw.fillStyle = this.colours.line;
    for (let at = Math.floor(this.now / GRID_MS) * GRID_MS; at > this.now - WINDOW_MS; at -= GRID_MS) {
      this.draw.fillRect(Math.round(this.x(at)), 0, 1, HEIGHT_PX);
    }
  }

  private levels(levels: readonly Level[], top: number, colour: Colour): void {
    this.draw.fillStyle = this.colours[colour];
    for (let i = levels.length - 1; i >= 0; i -= 1) {
      const { at, level } = levels[i] as Level;
      if (at < this.now - WINDOW_MS) return;
      const from = this.x(Math.max(levels[i - 1]?.at ?? 0, at - PIECE_MS));
      const height = Math.max(1, level * (LANE_PX - 4));
      if (level > 0.02)
        this.draw.fillRect(from, top + (LANE_PX - height) / 2, Math.max(1, this.x(at) - from - 0.5), height);
    }
  }

  private block({ from, ms }: Generated, top: number): void {
    this.draw.fillStyle = this.colours.soft;
    this.draw.fillRect(this.x(from), top + 2, (ms / WINDOW_MS) * this.width, LANE_PX - 4);
  }

  private hatch({ from, ms }: Generated, top: number): void {
    const left = this.x(from);
    const width = (ms / WINDOW_MS) * this.width;
    this.draw.save();
    this.draw.beginPath();
    this.draw.rect(left, top + 2, width, LANE_PX - 4);
    this.draw.clip();
    this.draw.strokeStyle = this.colours.bad;
    this.draw.lineWidth = 1;
    this.draw.beginPath();
    for (let x = left - LANE_PX; x < left + width; x += 6) {
      this.draw.moveTo(x, top + LANE_PX);
      this.draw.lineTo(x + LANE_PX, top);
    }
    this.draw.stroke();
    this.draw.restore();
  }

  private mark(at: number, colour: Colour, kind: MarkKind): void {
    if (at < this.now - WINDOW_MS) return;
    const x = this.x(at);
    this.draw.fillStyle = this.colours[colour];
    if (kind === "speech" || kind === "response") this.draw.fillRect(x - 1, LANE_PX + 1, 2, MARKS_PX - 2);
    else {
      this.draw.beginPath();
      this.draw.arc(x, LANE_PX + MARKS_PX / 2, 4, 0, 2 * Math.PI);
      this.draw.fill();
    }
  }
}

export function LiveLanes({ call, live }: { call: VoiceCall | null; live: boolean }) {
  const figure = useRef<HTMLElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const element = canvas.current;
    const draw = element?.getContext("2d");
    if (!element || !draw || !figure.current || !call) return;
    let colours = coloursOf(figure.current);
    let frame = 0;
    let last = 0;
    const restyle = () => {
      if (figure.current) colours = coloursOf(figure.current);
      paint(performance.now());
    };
    const paint = (now: number) => {
      const width = element.clientWidth;
      const scale = window.devicePixelRatio || 1;
      if (element.width !== Math.round(width * scale)) element.width = Math.round(width * scale);
      if (element.height !== HEIGHT_PX * scale) element.height = HEIGHT_PX * scale;
      draw.setTransform(scale, 0, 0, scale, 0, 0);
      new Painter(draw, width, now, colours).paint(call.activity);
    };
    const tick = (now: number) => {
      if (now - last >= FRAME_MS) {
        last = now;
        paint(now);
      }
      frame = requestAnimationFrame(tick);
    };
    if (live) frame = requestAnimationFrame(tick);
    window.addEventListener("voxgate-theme", restyle);
    return () => {
      cancelAnimationFrame(frame);
      window.removeEventListener("voxgate-theme", restyle);
    };
  }, [call, live]);
  return (
    <figure className="live-lanes" ref={figure} data-testid="live-lanes">
      <canvas
        ref={canvas}
        role="img"
        aria-label="The last 30 seconds: what you said, what the assistant generated and what of it was heard"
      />
      <figcaption>
        <span>Last 30 s:</span>
        {LEGEND.map(([colour, words]) => (
          <span key={colour}>
            <i data-colour={colour} className={`swatch ${colour}`} aria-hidden="true" />
            {words}
          </span>
        ))}
        <i data-colour="line" className="swatch line" hidden aria-hidden="true" />
      </figcaption>
    </figure>
  );
}
