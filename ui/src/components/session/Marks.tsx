/** What stands over and under the waveform: ruler, turns, tools, cuts, each at its place in the shown part. */
import type { CSSProperties } from "react";
import type { Span } from "../../api/types";
import { clock, duration } from "../../lib/format";
import { clipOf, interruptionOf, isFailed, soundOf, spanEnd, spanName } from "../../lib/trace";
import { ticks } from "../../lib/waveform";
import { interruptionText } from "./Conversation";

export interface View {
  fromMs: number;
  toMs: number;
}

/** The part of the call that is shown: `zoom` times larger than the whole, around the wanted place. */
export function viewOf(lengthMs: number, zoom: number, middleMs: number): View {
  const shown = Math.max(1, lengthMs / zoom);
  const fromMs = Math.max(0, Math.min(lengthMs - shown, middleMs - shown / 2));
  return { fromMs, toMs: fromMs + shown };
}

export const place = (view: View, ms: number) => ((ms - view.fromMs) / (view.toMs - view.fromMs)) * 100;

function box(view: View, span: Span): CSSProperties {
  const left = Math.max(0, place(view, span.start_ms));
  const right = Math.min(100, place(view, spanEnd(span, view.toMs)));
  return { left: `${left}%`, width: `max(3px, ${right - left}%)` };
}

const within = (view: View, span: Span) =>
  spanEnd(span, view.toMs) >= view.fromMs && span.start_ms <= view.toMs;

interface StripProps {
  spans: Span[];
  view: View;
  onSelect: (span: Span) => void;
}

const spanTitle = (span: Span) =>
  `${span.name} · ${clock(span.start_ms)} · ${duration(spanEnd(span) - span.start_ms)}`;

export function Turns({ spans, view, onSelect }: StripProps) {
  return (
    <div className="strip turns">
      {spans
        .filter((span) => within(view, span))
        .map((span) => (
          <button
            type="button"
            key={span.id}
            tabIndex={-1}
            style={box(view, span)}
            title={spanTitle(span)}
            onClick={() => onSelect(span)}
          >
            {spanName(span)}
          </button>
        ))}
    </div>
  );
}

const LABEL_CHAR_PX = 7;

/** Tools are short: their names stand beside the bars, where there is room before the next one. */
export function Tools({ spans, view, width, onSelect }: StripProps & { width: number }) {
  const room = (span: Span, next: Span | undefined) =>
    ((next ? place(view, next.start_ms) : 100) - place(view, spanEnd(span))) * (width / 100);
  return (
    <div className="strip tools">
      {spans
        .filter((span) => within(view, span))
        .map((span, i, shown) => {
          const label = `${span.name} ${duration(spanEnd(span) - span.start_ms)}`;
          return (
            <button
              type="button"
              key={span.id}
              tabIndex={-1}
              aria-label={spanTitle(span)}
              title={spanTitle(span)}
              style={box(view, span)}
              className={isFailed(span) ? "failed" : ""}
              onClick={() => onSelect(span)}
            >
              {room(span, shown[i + 1]) > label.length * LABEL_CHAR_PX + 12 && (
                <span className="beside">{label}</span>
              )}
            </button>
          );
        })}
    </div>
  );
}

export function Ruler({ view, width }: { view: View; width: number }) {
  const times = ticks(view.fromMs, view.toMs, width);
  const precise = times.some((ms) => ms % 1000 !== 0);
  return (
    <div className="ruler" aria-hidden="true">
      {times.map((ms) => (
        <span key={ms} style={{ left: `${place(view, ms)}%` }}>
          {clock(ms, precise ? 1 : 0)}
        </span>
      ))}
    </div>
  );
}

/** Where an answer was cut: from there on it was generated, but not heard. */
export function Cuts({ spans, view }: { spans: Span[]; view: View }) {
  return spans.flatMap((span) => {
    const cut = interruptionOf(span);
    const at = place(view, soundOf(span).endMs);
    if (!cut || at < 0 || at > 100) return [];
    const lost = cut.heardMs === null || cut.generatedMs === null ? 0 : cut.generatedMs - cut.heardMs;
    return [
      <div key={span.id} className="cut" style={{ left: `${at}%` }} title={interruptionText(cut)}>
        {lost > 0 && <span>not heard · {duration(lost)}</span>}
      </div>,
    ];
  });
}

/** Where somebody spoke, while there is no waveform yet: a call that runs, or whose sound is being made. */
export function Speech({ spans, view }: { spans: Span[]; view: View }) {
  return spans
    .filter((span) => (span.type === "user" || span.type === "response") && clipOf(span))
    .map((span) => {
      const { startMs, endMs } = soundOf(span);
      const left = Math.max(0, place(view, startMs));
      const right = Math.min(100, place(view, endMs));
      if (right <= 0 || left >= 100) return null;
      return (
        <div
          key={span.id}
          className={`speech ${span.type === "user" ? "user" : "assistant"}`}
          style={{ left: `${left}%`, width: `max(3px, ${right - left}%)` }}
        />
      );
    });
}
