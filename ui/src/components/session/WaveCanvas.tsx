/** The sound of the lanes, drawn: bars from peaks, and hatching over what was generated and not heard. */
import { useEffect, useRef, useState } from "react";
import type { PeakLane, Stretch } from "../../lib/peaks";
import { useSize } from "../../lib/use-player";
import { place, type View } from "../../lib/view";

export type LaneTone = "user" | "assistant" | "generated";

export interface WaveLane {
  id: string;
  tone: LaneTone;
  peaks: PeakLane | null;
  /** Where somebody spoke, drawn while there are no peaks. */
  speech: Stretch[];
  /** What is hatched. */
  lost: Stretch[];
}

const PITCH = 3;
const BAR = 2;
/** Free room above and below the loudest bar. */
const MARGIN = 6;
const HATCH = 7;

type Colours = Record<LaneTone | "warn" | "line", string>;
const NAMES: (keyof Colours)[] = ["user", "assistant", "generated", "warn", "line"];

/** Tokens as a canvas takes them: the browser resolves them on elements that have these colours. */
function readColours(host: HTMLElement): Colours {
  const found = NAMES.map((name) => {
    const probe = host.querySelector(`.probe.${name}`);
    return [name, probe ? getComputedStyle(probe).color : "currentcolor"] as const;
  });
  return Object.fromEntries(found) as Colours;
}

interface Box {
  top: number;
  width: number;
  height: number;
}

function drawBars(context: CanvasRenderingContext2D, lane: WaveLane, view: View, box: Box, colour: string) {
  const middle = box.top + box.height / 2;
  const half = box.height / 2 - MARGIN;
  context.fillStyle = colour;
  // One dot for each bar of silence: the lane is a line where nobody speaks.
  const many = Math.max(1, Math.floor(box.width / PITCH));
  const bars = lane.peaks?.bars(view.fromMs, view.toMs, many);
  for (let i = 0; i < many; i += 1) {
    const height = Math.max(0.5, ((bars?.[i] ?? 0) / 255) * half);
    context.fillRect(i * PITCH, middle - height, BAR, height * 2);
  }
}

const across = (view: View, box: Box, ms: number) => (place(view, ms) / 100) * box.width;

function drawSpeech(context: CanvasRenderingContext2D, lane: WaveLane, view: View, box: Box, colour: string) {
  context.fillStyle = colour;
  context.globalAlpha = 0.4;
  for (const { fromMs, toMs } of lane.speech) {
    const [from, to] = [across(view, box, fromMs), across(view, box, toMs)];
    if (to < 0 || from > box.width) continue;
    context.fillRect(from, box.top + box.height / 2 - 9, Math.max(2, to - from), 18);
  }
  context.globalAlpha = 1;
}

function drawHatch(context: CanvasRenderingContext2D, lane: WaveLane, view: View, box: Box, colour: string) {
  for (const { fromMs, toMs } of lane.lost) {
    const from = Math.max(0, across(view, box, fromMs));
    const to = Math.min(box.width, across(view, box, toMs));
    if (to <= from) continue;
    context.save();
    context.beginPath();
    context.rect(from, box.top + 3, to - from, box.height - 6);
    context.clip();
    context.strokeStyle = colour;
    context.globalAlpha = 0.75;
    context.beginPath();
    for (let x = from - box.height; x < to; x += HATCH) {
      context.moveTo(x, box.top + box.height);
      context.lineTo(x + box.height, box.top);
    }
    context.stroke();
    context.restore();
  }
}

function draw(canvas: HTMLCanvasElement, lanes: WaveLane[], view: View, colours: Colours) {
  const context = canvas.getContext("2d");
  if (!context) return;
  const scale = window.devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  context.scale(scale, scale);
  const each = height / Math.max(1, lanes.length);
  lanes.forEach((lane, n) => {
    const box = { top: n * each, width, height: each };
    if (n > 0) {
      context.fillStyle = colours.line;
      context.fillRect(0, Math.round(box.top), width, 1);
    }
    drawBars(context, lane, view, box, colours[lane.tone]);
    if (!lane.peaks) drawSpeech(context, lane, view, box, colours[lane.tone]);
    drawHatch(context, lane, view, box, colours.warn);
  });
}

/** Counts changes of the theme: colours have to be read again. */
export function useThemeChanges(): number {
  const [changes, setChanges] = useState(0);
  useEffect(() => {
    const changed = () => setChanges((before) => before + 1);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    const chosen = new MutationObserver(changed);
    scheme.addEventListener("change", changed);
    chosen.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme", "class"] });
    return () => {
      scheme.removeEventListener("change", changed);
      chosen.disconnect();
    };
  }, []);
  return changes;
}

interface Props {
  lanes: WaveLane[];
  view: View;
  /** Changes when the peaks have. */
  revision: number;
}

export function WaveCanvas({ lanes, view, revision }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [measure, size] = useSize();
  const theme = useThemeChanges();
  // biome-ignore lint/correctness/useExhaustiveDependencies: size, theme and revision say when to draw again
  useEffect(() => {
    const element = canvas.current;
    if (!element?.parentElement) return;
    const frame = requestAnimationFrame(() =>
      draw(element, lanes, view, readColours(element.parentElement as HTMLElement)),
    );
    return () => cancelAnimationFrame(frame);
  }, [lanes, view, revision, size, theme]);
  return (
    <div className="wave" ref={measure} aria-hidden="true">
      {NAMES.map((name) => (
        <i key={name} className={`probe ${name}`} />
      ))}
      <canvas ref={canvas} data-testid="waves" />
    </div>
  );
}
