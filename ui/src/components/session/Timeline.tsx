/** The whole call at a glance: ruler, turns, both lanes, tools, interruptions; click or drag to seek. */
import { type KeyboardEvent, type PointerEvent, type ReactNode, useEffect, useRef, useState } from "react";
import type { Peaks, Span } from "../../api/types";
import { clock } from "../../lib/format";
import type { Player } from "../../lib/player";
import { useEveryFrame, usePlayerTime, useSize } from "../../lib/use-player";
import { Lanes } from "./Lanes";
import { Cuts, place, Ruler, Speech, Tools, Turns, type View, viewOf } from "./Marks";

interface Props {
  player: Player;
  peaks: Peaks | undefined;
  spans: Span[];
  lengthMs: number;
  onSelect: (span: Span) => void;
}

const LARGEST_ZOOM = 64;
const EMPTY_PEAKS: Peaks = { per_second: 50, user: [], assistant: [], heard: [] };

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
        <Turns spans={spans.filter((span) => span.type === "turn")} view={view} onSelect={onSelect} />
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
          {!peaks && <Speech spans={spans} view={view} />}
          <Cuts spans={spans} view={view} />
        </Seekable>
        {tools.length > 0 && <Tools spans={tools} view={view} width={width} onSelect={onSelect} />}
        <Playhead player={player} view={view} />
      </div>
    </section>
  );
}

interface SeekableProps {
  player: Player;
  lengthMs: number;
  onPointer: (event: PointerEvent<HTMLDivElement>) => void;
  children: ReactNode;
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
