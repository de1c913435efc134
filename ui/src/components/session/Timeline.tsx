/**
 * A call on one clock: ruler, turns, the provider's marks, the sound of each lane, tools, events. Click to seek, drag
 * to choose a loop, drag the ruler to pan, wheel or pinch to zoom. Fed by plain data: it knows no session.
 */
import {
  type KeyboardEvent,
  memo,
  type PointerEvent,
  type ReactNode,
  useEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
} from "react";
import type { Block, CallMarks } from "../../lib/call-marks";
import { clock as clockText } from "../../lib/format";
import type { CallPeaks, Stretch } from "../../lib/peaks";
import { useDragging } from "../../lib/use-dragging";
import { type PlaceClock, useEveryFrame, usePlayerTime, useSize } from "../../lib/use-player";
import { place, type View, type ViewState } from "../../lib/view";
import { Areas, EventMarks, Evidence, Grid, Ruler, Tools, Turns, Vad } from "./Marks";
import { Overview } from "./Overview";
import { WaveCanvas, type WaveLane } from "./WaveCanvas";

export interface TimelineProps {
  clock: PlaceClock;
  view: ViewState;
  lengthMs: number;
  peaks: CallPeaks | null;
  /** Changes when something was put into the peaks. */
  revision: number;
  marks: CallMarks;
  /** Where each side spoke, for the time before there are peaks. */
  speech: { user: Stretch[]; assistant: Stretch[] };
  loop: Stretch | null;
  onLoop: (loop: Stretch | null) => void;
  onChoose: (block: Block) => void;
  live?: boolean;
  /** Where there are several. */
  name?: string;
  /** Beside the names of the user and of the assistant. */
  controls?: { user?: ReactNode; assistant?: ReactNode };
}

function Playhead({ clock, view }: { clock: PlaceClock; view: ViewState }) {
  const ref = useRef<HTMLDivElement>(null);
  const now = useSyncExternalStore(view.subscribe, view.get);
  const put = (ms: number) => {
    if (!ref.current) return;
    const at = place(view.view, ms);
    ref.current.style.left = `${at}%`;
    ref.current.hidden = at < 0 || at > 100;
  };
  useEveryFrame(clock, put);
  // biome-ignore lint/correctness/useExhaustiveDependencies: it is put anew when the view has changed
  useEffect(() => put(clock.timeMs), [now, clock]);
  return <div className="playhead" ref={ref} data-testid="playhead" />;
}

/** Zooming by wheel needs a listener that may cancel the page's own zoom: React's are passive. */
function useWheel(element: HTMLElement | null, view: ViewState) {
  useEffect(() => {
    if (!element) return;
    const wheel = (event: WheelEvent) => {
      const rect = element.getBoundingClientRect();
      const shown = view.view.toMs - view.view.fromMs;
      const sideways = event.shiftKey ? event.deltaY : event.deltaX;
      if (event.ctrlKey || event.metaKey) {
        const ms = view.view.fromMs + ((event.clientX - rect.left) / rect.width) * shown;
        view.zoom(Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.05 : 0.004)), ms);
      } else if (Math.abs(sideways) > Math.abs(event.deltaY) || event.shiftKey) {
        view.pan((sideways / rect.width) * shown);
      } else return;
      event.preventDefault();
    };
    element.addEventListener("wheel", wheel, { passive: false });
    return () => element.removeEventListener("wheel", wheel);
  }, [element, view]);
}

function lanesOf({ peaks, speech, marks }: TimelineProps): WaveLane[] {
  return [
    { id: "user", tone: "user", peaks: peaks?.lanes.user ?? null, speech: speech.user, lost: [] },
    { id: "heard", tone: "assistant", peaks: peaks?.lanes.heard ?? null, speech: speech.assistant, lost: [] },
    {
      id: "generated",
      tone: "generated",
      peaks: peaks?.lanes.assistant ?? null,
      speech: speech.assistant,
      lost: marks.cuts,
    },
  ];
}

function LaneNames({ marks, controls }: Pick<TimelineProps, "marks" | "controls">) {
  return (
    <div className="lane-names">
      <span className="name ruler-name" />
      <span className="name small-name">Turns</span>
      <span className="name small-name" title="Where the provider heard speech begin and end">
        VAD marks
      </span>
      <span className="name user">
        <b>User</b> {controls?.user}
      </span>
      <span className="name assistant">
        <b>Assistant</b>
        <small>as heard</small> {controls?.assistant}
      </span>
      <span className="name generated">
        <b>Assistant</b>
        <small>as generated</small>
      </span>
      <span className="name tool">
        <b>Tools</b>
      </span>
      <span className="name small-name">Events</span>
      {marks.evidence.length > 0 && <span className="name small-name">Scores</span>}
      <span className="name small-name overview-name">Whole call</span>
    </div>
  );
}

/** The place under the pointer, and the chosen stretch while it is dragged. */
function Loop({ loop, view }: { loop: Stretch | null; view: View }) {
  if (!loop) return null;
  const left = Math.max(0, place(view, loop.fromMs));
  const right = Math.min(100, place(view, loop.toMs));
  if (right <= 0 || left >= 100) return null;
  return (
    <div className="loop" style={{ left: `${left}%`, width: `${right - left}%` }} data-testid="loop">
      <span className="loop-label">loop {((loop.toMs - loop.fromMs) / 1000).toFixed(1)} s</span>
    </div>
  );
}

interface LanesAreaProps extends TimelineProps {
  shown: View;
  width: number;
}

/** Everything that changes with the view and not with the time. */
const Lanes = memo(function Lanes(props: LanesAreaProps) {
  const { shown, width, marks, revision, clock, onChoose } = props;
  // biome-ignore lint/correctness/useExhaustiveDependencies: the lanes follow these three alone
  const lanes = useMemo(() => lanesOf(props), [props.peaks, props.speech, props.marks]);
  return (
    <>
      <Grid view={shown} width={width} />
      <Turns blocks={marks.turns} view={shown} width={width} onChoose={onChoose} />
      <Vad blocks={marks.vad} view={shown} width={width} onChoose={onChoose} />
      <Seekable {...props}>
        <Areas blocks={marks.overlaps} view={shown} width={width} kind="overlap" />
        <WaveCanvas lanes={lanes} view={shown} revision={revision} />
        <Areas blocks={marks.cuts} view={shown} width={width} kind="cut" />
      </Seekable>
      <Tools blocks={marks.tools} view={shown} width={width} onChoose={onChoose} />
      <EventMarks marks={marks.events} view={shown} width={width} onSeek={(ms) => clock.seek(ms)} />
      {marks.evidence.length > 0 && <Evidence blocks={marks.evidence} view={shown} onChoose={onChoose} />}
    </>
  );
});

export function Timeline(props: TimelineProps) {
  const { clock, view, lengthMs, live, peaks, revision, marks, loop, name = "The call over time" } = props;
  const [measure, { width }] = useSize();
  const [element, setElement] = useState<HTMLDivElement | null>(null);
  const shown = useSyncExternalStore(view.subscribe, view.get);
  useEffect(() => view.grow(lengthMs, live), [view, lengthMs, live]);
  useWheel(element, view);
  const pan = useDragging((byPx) => view.pan((-byPx / Math.max(1, width)) * (shown.toMs - shown.fromMs)));
  return (
    <section className="timeline" aria-label={name} data-testid="timeline">
      <LaneNames marks={marks} controls={props.controls ?? {}} />
      <div className="time-area" ref={setElement}>
        <div className="ruler" ref={measure} aria-hidden="true" title="Drag to move the view" {...pan}>
          <Ruler view={shown} width={width} />
        </div>
        <Lanes {...props} shown={shown} width={width} />
        <Loop loop={loop} view={shown} />
        <Playhead clock={clock} view={view} />
        <Overview
          clock={clock}
          peaks={peaks}
          revision={revision}
          lengthMs={lengthMs}
          view={shown}
          state={view}
        />
      </div>
    </section>
  );
}

const CLICK_PX = 4;
const PINCH_STEP = 0.02;

type Point = { x: number; y: number };

/** Mouse: click seeks, drag chooses. Touch: tap seeks, drag pans, two fingers zoom. */
function usePointers({ clock, view, lengthMs, onLoop }: TimelineProps) {
  const points = useRef(new Map<number, Point>());
  const start = useRef<{ x: number; ms: number; moved: boolean } | null>(null);
  const apart = useRef(0);
  const msAt = (event: PointerEvent<HTMLElement>) => {
    const rect = event.currentTarget.getBoundingClientRect();
    const { fromMs, toMs } = view.view;
    return Math.min(
      lengthMs,
      Math.max(0, fromMs + ((event.clientX - rect.left) / rect.width) * (toMs - fromMs)),
    );
  };
  const pinch = (event: PointerEvent<HTMLElement>) => {
    const [a, b] = [...points.current.values()];
    if (!a || !b) return;
    const now = Math.hypot(a.x - b.x, a.y - b.y);
    const factor = now / Math.max(1, apart.current);
    if (apart.current > 0 && Math.abs(factor - 1) > PINCH_STEP) view.zoom(factor, msAt(event));
    apart.current = now;
  };
  const down = (event: PointerEvent<HTMLElement>) => {
    if (event.button !== 0) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    points.current.set(event.pointerId, { x: event.clientX, y: event.clientY });
    start.current = { x: event.clientX, ms: msAt(event), moved: false };
    apart.current = 0;
  };
  const move = (event: PointerEvent<HTMLElement>) => {
    const before = points.current.get(event.pointerId);
    const begun = start.current;
    if (!before || !begun) return;
    points.current.set(event.pointerId, { x: event.clientX, y: event.clientY });
    begun.moved ||= Math.abs(event.clientX - begun.x) > CLICK_PX;
    if (points.current.size > 1) pinch(event);
    else if (begun.moved && event.pointerType === "touch") {
      const shown = view.view.toMs - view.view.fromMs;
      view.pan(((before.x - event.clientX) / event.currentTarget.clientWidth) * shown);
    } else if (begun.moved) {
      const ms = msAt(event);
      onLoop({ fromMs: Math.min(begun.ms, ms), toMs: Math.max(begun.ms, ms) });
    }
  };
  const up = (event: PointerEvent<HTMLElement>) => {
    points.current.delete(event.pointerId);
    const begun = start.current;
    if (points.current.size > 0 || !begun) return;
    start.current = null;
    if (!begun.moved && event.type === "pointerup") clock.seek(msAt(event));
  };
  return { onPointerDown: down, onPointerMove: move, onPointerUp: up, onPointerCancel: up };
}

function Seekable(props: LanesAreaProps & { children: ReactNode }) {
  const { clock, lengthMs, children } = props;
  const pointers = usePointers(props);
  const seconds = usePlayerTime(clock, (ms) => Math.floor(ms / 1000));
  const keys = (event: KeyboardEvent) => {
    if (event.key !== "End") return;
    event.preventDefault();
    clock.seek(lengthMs);
  };
  return (
    <div
      className="seekable"
      role="slider"
      tabIndex={0}
      aria-label="Place in the call"
      aria-valuemin={0}
      aria-valuemax={Math.max(1, Math.round(lengthMs / 1000))}
      aria-valuenow={seconds}
      aria-valuetext={clockText(seconds * 1000, 0)}
      data-testid="waveform"
      onKeyDown={keys}
      {...pointers}
    >
      {children}
    </div>
  );
}
