/** The whole call at a glance: ruler, turns, both lanes, tools, interruptions; click or drag to seek. */
import {
  type CSSProperties,
  type KeyboardEvent,
  type PointerEvent,
  useEffect,
  useRef,
  useState,
} from "react";
import type { Peaks, Span } from "../../api/types";
import { clock, duration } from "../../lib/format";
import type { Player } from "../../lib/player";
import { interruptionOf, isFailed, spanEnd } from "../../lib/trace";
import { useEveryFrame, usePlayerState, usePlayerTime, useSize } from "../../lib/use-player";
import { ticks } from "../../lib/waveform";
import { Icon } from "../Icon";
import { Lanes } from "./Lanes";

interface Props {
  player: Player;
  peaks: Peaks | undefined;
  spans: Span[];
  lengthMs: number;
  onSelect: (span: Span) => void;
}

interface View {
  fromMs: number;
  toMs: number;
}

const LARGEST_ZOOM = 64;
const EMPTY_PEAKS: Peaks = { per_second: 50, user: [], assistant: [], heard: [] };

/** The part of the call that is shown: `zoom` times larger than the whole, around the wanted place. */
function viewOf(lengthMs: number, zoom: number, middleMs: number): View {
  const shown = Math.max(1, lengthMs / zoom);
  const fromMs = Math.max(0, Math.min(lengthMs - shown, middleMs - shown / 2));
  return { fromMs, toMs: fromMs + shown };
}

const place = (view: View, ms: number) => ((ms - view.fromMs) / (view.toMs - view.fromMs)) * 100;

function box(view: View, span: Span): CSSProperties {
  const left = Math.max(0, place(view, span.start_ms));
  const right = Math.min(100, place(view, spanEnd(span)));
  return { left: `${left}%`, width: `max(3px, ${right - left}%)` };
}

const within = (view: View, span: Span) => spanEnd(span) >= view.fromMs && span.start_ms <= view.toMs;

function Strip({
  spans,
  view,
  kind,
  onSelect,
}: {
  spans: Span[];
  view: View;
  kind: string;
  onSelect: Props["onSelect"];
}) {
  return (
    <div className={`strip ${kind}`}>
      {spans
        .filter((span) => within(view, span))
        .map((span) => (
          <button
            type="button"
            key={span.id}
            tabIndex={-1}
            style={box(view, span)}
            className={isFailed(span) ? "failed" : ""}
            title={`${span.name} · ${clock(span.start_ms)} · ${duration(spanEnd(span) - span.start_ms)}`}
            onClick={() => onSelect(span)}
          >
            {span.name}
          </button>
        ))}
    </div>
  );
}

function Ruler({ view, width }: { view: View; width: number }) {
  const precise = view.toMs - view.fromMs < 5000;
  return (
    <div className="ruler" aria-hidden="true">
      {ticks(view.fromMs, view.toMs, width).map((ms) => (
        <span key={ms} style={{ left: `${place(view, ms)}%` }}>
          {clock(ms, precise ? 1 : 0)}
        </span>
      ))}
    </div>
  );
}

/** Where an answer was cut: the start of the part that was not heard. */
function Cuts({ spans, view }: { spans: Span[]; view: View }) {
  return spans.flatMap((span) => {
    const cut = interruptionOf(span);
    if (!cut) return [];
    const at = place(view, spanEnd(span));
    if (at < 0 || at > 100) return [];
    const heard = cut.heardMs === null ? "" : `, heard ${duration(cut.heardMs)}`;
    return [<div key={span.id} className="cut" style={{ left: `${at}%` }} title={`Interrupted${heard}`} />];
  });
}

function Playhead({ player, view }: { player: Player; view: View }) {
  const ref = useRef<HTMLDivElement>(null);
  useEveryFrame(player, (ms) => {
    const at = place(view, ms);
    if (ref.current) {
      ref.current.style.left = `${at}%`;
      ref.current.hidden = at < 0 || at > 100;
    }
  });
  useEffect(() => {
    if (ref.current) ref.current.style.left = `${place(view, player.timeMs)}%`;
  }, [player, view]);
  return <div className="playhead" ref={ref} />;
}

function Zoom({ zoom, onZoom }: { zoom: number; onZoom: (zoom: number) => void }) {
  return (
    <fieldset className="zoom">
      <legend className="visually-hidden">Zoom</legend>
      <button
        type="button"
        aria-label="Zoom out"
        title="Zoom out (ctrl + wheel)"
        disabled={zoom <= 1}
        onClick={() => onZoom(zoom / 2)}
      >
        −
      </button>
      <button
        type="button"
        aria-label="Zoom in"
        title="Zoom in (ctrl + wheel)"
        disabled={zoom >= LARGEST_ZOOM}
        onClick={() => onZoom(zoom * 2)}
      >
        +
      </button>
    </fieldset>
  );
}

/** Zooming by wheel needs a listener that may cancel the page's own zoom: React's are passive. */
function useWheelZoom(element: HTMLElement | null, zoomBy: (factor: number) => void) {
  const latest = useRef(zoomBy);
  latest.current = zoomBy;
  useEffect(() => {
    if (!element) return;
    const wheel = (event: WheelEvent) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      latest.current(event.deltaY < 0 ? 1.25 : 0.8);
    };
    element.addEventListener("wheel", wheel, { passive: false });
    return () => element.removeEventListener("wheel", wheel);
  }, [element]);
}

export function Timeline({ player, peaks, spans, lengthMs, onSelect }: Props) {
  const [measure, { width, height }] = useSize();
  const [element, setElement] = useState<HTMLDivElement | null>(null);
  const [zoom, setZoom] = useState(1);
  // While zoomed in, the view turns pages with the playhead instead of creeping along.
  const shownMs = lengthMs / zoom;
  const page = usePlayerTime(player, (ms) => (zoom > 1 ? Math.floor(ms / (shownMs * 0.9)) : 0));
  const view = viewOf(lengthMs, zoom, page * shownMs * 0.9 + shownMs / 2);
  const change = (next: number) => setZoom(Math.min(LARGEST_ZOOM, Math.max(1, next)));
  useWheelZoom(element, (factor) => change(zoom * factor));

  const seek = (event: PointerEvent<HTMLDivElement>) => {
    if (event.type === "pointermove" && event.buttons !== 1) return;
    const rect = event.currentTarget.getBoundingClientRect();
    const ratio = (event.clientX - rect.left) / rect.width;
    player.seek(Math.min(lengthMs, view.fromMs + ratio * (view.toMs - view.fromMs)));
  };
  const tools = spans.filter((span) => span.type === "tool");
  return (
    <section className="timeline" aria-label="The call over time">
      <div className="lane-names">
        <Zoom zoom={zoom} onZoom={change} />
        <span className="name user">User</span>
        <span className="name assistant">
          Assistant <small>as heard</small>
        </span>
        {tools.length > 0 && <span className="name tool">Tools</span>}
      </div>
      <div className="time-area" ref={setElement}>
        <Ruler view={view} width={width} />
        <Strip
          spans={spans.filter((span) => span.type === "turn")}
          view={view}
          kind="turns"
          onSelect={onSelect}
        />
        <Seekable player={player} lengthMs={lengthMs} onPointer={seek}>
          <div className="lanes" ref={measure}>
            <Lanes
              peaks={peaks ?? EMPTY_PEAKS}
              fromMs={view.fromMs}
              toMs={view.toMs}
              width={width}
              height={Math.max(0, height - 1) / 2}
            />
          </div>
          <Cuts spans={spans} view={view} />
        </Seekable>
        {tools.length > 0 && <Strip spans={tools} view={view} kind="tools" onSelect={onSelect} />}
        <Playhead player={player} view={view} />
      </div>
    </section>
  );
}

interface SeekableProps {
  player: Player;
  lengthMs: number;
  onPointer: (event: PointerEvent<HTMLDivElement>) => void;
  children: React.ReactNode;
}

function Seekable({ player, lengthMs, onPointer, children }: SeekableProps) {
  const seconds = usePlayerTime(player, (ms) => Math.floor(ms / 1000));
  const keys = (event: KeyboardEvent) => {
    if (event.key === "Home") player.seek(0);
    else if (event.key === "End") player.seek(lengthMs);
    else return;
    event.preventDefault();
  };
  return (
    <div
      className="seekable"
      role="slider"
      tabIndex={0}
      aria-label="Place in the call"
      aria-valuemin={0}
      aria-valuemax={Math.round(lengthMs / 1000)}
      aria-valuenow={seconds}
      aria-valuetext={clock(seconds * 1000, 0)}
      data-testid="waveform"
      onKeyDown={keys}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        onPointer(event);
      }}
      onPointerMove={onPointer}
    >
      {children}
    </div>
  );
}

const RATES = [1, 1.25, 1.5, 2, 0.75];

export function Transport({ player, lengthMs, live }: { player: Player; lengthMs: number; live: boolean }) {
  const [rate, setRate] = useState(1);
  const time = usePlayerTime(player, (ms) => clock(ms));
  const next = RATES[(RATES.indexOf(rate) + 1) % RATES.length] ?? 1;
  return (
    <div className="transport">
      <PlayButton player={player} />
      <span className="time">
        <strong data-testid="time">{time}</strong> <span className="muted">/ {clock(lengthMs)}</span>
      </span>
      <button
        type="button"
        className="button quiet"
        aria-label={`Speed ${rate}, change to ${next}`}
        onClick={() => {
          player.rate = next;
          setRate(next);
        }}
      >
        {rate.toFixed(2).replace(/0$/, "")}×
      </button>
      {live && (
        <button type="button" className="button" onClick={() => player.reload()}>
          Load what was said since
        </button>
      )}
      <span className="grow" />
      <span className="keys hide-small muted" aria-hidden="true">
        <kbd>space</kbd> play <kbd>←</kbd> <kbd>→</kbd> 2 s <kbd>J</kbd> <kbd>K</kbd> turn <kbd>I</kbd>{" "}
        interruption <kbd>E</kbd> error
      </span>
    </div>
  );
}

function PlayButton({ player }: { player: Player }) {
  const state = usePlayerState(player);
  return (
    <>
      <button
        type="button"
        className="play"
        data-testid="play"
        data-playing={state.playing}
        disabled={state.failed}
        aria-label={state.playing ? "Pause" : "Play"}
        onClick={() => player.toggle()}
      >
        <Icon name={state.playing ? "pause" : "play"} />
      </button>
      {state.failed && <span className="muted">There is no sound to play in this call.</span>}
    </>
  );
}
