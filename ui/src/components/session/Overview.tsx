/** The whole call in one strip: both sides, what went wrong, and which part is shown above. Drag to move there. */
import { type PointerEvent, useEffect, useMemo, useRef } from "react";
import type { CallPeaks } from "../../lib/peaks";
import { type PlaceClock, useEveryFrame, useSize } from "../../lib/use-player";
import type { View, ViewState } from "../../lib/view";
import { useThemeChanges } from "./WaveCanvas";

const PITCH = 2;

function draw(canvas: HTMLCanvasElement, peaks: CallPeaks | null, wholeMs: number) {
  const context = canvas.getContext("2d");
  if (!context) return;
  const scale = window.devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  context.scale(scale, scale);
  const many = Math.floor(width / PITCH);
  const colour = (name: string) => {
    const probe = canvas.parentElement?.querySelector(`.probe.${name}`);
    return probe ? getComputedStyle(probe).color : "currentcolor";
  };
  const side = (name: "user" | "heard", tone: string, up: boolean) => {
    context.fillStyle = colour(tone);
    const bars = peaks?.lanes[name].bars(0, wholeMs, many);
    for (let i = 0; i < many; i += 1) {
      const tall = ((bars?.[i] ?? 0) / 255) * (height / 2 - 1);
      if (tall > 0.4) context.fillRect(i * PITCH, height / 2 - (up ? tall : 0), PITCH - 0.5, tall);
    }
  };
  side("user", "user", true);
  side("heard", "assistant", false);
}

interface Props {
  clock: PlaceClock;
  peaks: CallPeaks | null;
  revision: number;
  lengthMs: number;
  view: View;
  state: ViewState;
}

export function Overview({ clock, peaks, revision, lengthMs, view, state }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const head = useRef<HTMLSpanElement>(null);
  const [measure, size] = useSize();
  const theme = useThemeChanges();
  const whole = Math.max(1, state.wholeMs);
  // biome-ignore lint/correctness/useExhaustiveDependencies: they say when to draw again
  useEffect(() => {
    if (canvas.current) draw(canvas.current, peaks, whole);
  }, [peaks, revision, whole, size, theme]);
  useEveryFrame(clock, (ms) => {
    if (head.current) head.current.style.left = `${Math.min(100, (ms / whole) * 100)}%`;
  });
  const move = (event: PointerEvent<HTMLDivElement>) => {
    if (event.type === "pointermove" && event.buttons !== 1) return;
    const rect = event.currentTarget.getBoundingClientRect();
    const ms = ((event.clientX - rect.left) / rect.width) * whole;
    if (state.isWhole) clock.seek(Math.min(ms, lengthMs));
    else state.pan(ms - (state.view.fromMs + state.view.toMs) / 2);
  };
  const style = useMemo(
    () => ({
      left: `${(view.fromMs / whole) * 100}%`,
      width: `${((view.toMs - view.fromMs) / whole) * 100}%`,
    }),
    [view, whole],
  );
  return (
    <div
      className={`overview ${state.isWhole ? "is-whole" : ""}`}
      ref={measure}
      aria-hidden="true"
      title="The whole call. Drag to move the part that is shown."
      data-testid="overview"
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        move(event);
      }}
      onPointerMove={move}
    >
      <i className="probe user" />
      <i className="probe assistant" />
      <canvas ref={canvas} />
      <span className="window" style={style} />
      <span className="head" ref={head} />
    </div>
  );
}
