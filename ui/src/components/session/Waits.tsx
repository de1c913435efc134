/** Where the wait before each answer went: one stacked bar per answer, all on one scale. */
import { useMemo, useRef } from "react";
import type { Span } from "../../api/types";
import { millis } from "../../lib/format";
import { type Wait, type WaitPart, waits } from "../../lib/trace";
import { useDrawnRows } from "../../lib/use-drawn-rows";

const PARTS: [WaitPart["name"], string][] = [
  ["endpointing", "endpointing"],
  ["tools", "earlier responses and tools"],
  ["commit", "commit → response"],
  ["model", "first audio"],
  ["playback", "playback queue"],
  ["lead", "lead silence"],
];

const labelOf = (name: WaitPart["name"]) => PARTS.find(([part]) => part === name)?.[1] ?? name;

function Bar({ wait, scaleMs }: { wait: Wait; scaleMs: number }) {
  const words = wait.parts.map((part) => `${labelOf(part.name)} ${millis(part.ms)}`).join(", ");
  return (
    <div className="wait-bar" role="img" aria-label={words} title={words}>
      {wait.parts.map((part) => (
        <span
          key={part.name}
          className={part.name === "tools" ? "tools-part" : part.name}
          style={{ width: `${(part.ms / scaleMs) * 100}%` }}
        />
      ))}
    </div>
  );
}

const ROW_PX = 28;

export function Waits({ spans, onSelect }: { spans: Span[]; onSelect: (span: Span) => void }) {
  const rows = useMemo(() => waits(spans), [spans]);
  const keys = useMemo(() => rows.map((row) => row.span.id), [rows]);
  const scroller = useRef<HTMLElement>(null);
  const drawn = useDrawnRows({ scroller, keys, rowPx: ROW_PX });
  if (rows.length === 0) {
    return (
      <p className="muted padded">
        No answer by voice was measured yet. Each one gets a bar: how long the end of speech took to be
        noticed, the model to speak, the sound to play.
      </p>
    );
  }
  const scaleMs = Math.max(...rows.map((row) => row.parts.reduce((sum, part) => sum + part.ms, 0)));
  const used = new Set(rows.flatMap((row) => row.parts.map((part) => part.name)));
  return (
    <div className="waits">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be scrolled by the keyboard */}
      <section className="wait-rows" ref={scroller} tabIndex={0} aria-label="Waits, scrolling">
        <ul style={{ height: drawn.getTotalSize() }}>
          {drawn.getVirtualItems().map(({ index, key, start }) => {
            const wait = rows[index];
            return wait ? (
              <li key={key} style={{ transform: `translateY(${start}px)` }}>
                <button type="button" className="wait" onClick={() => onSelect(wait.span)}>
                  <span className="wait-label">{wait.label}</span>
                  <Bar wait={wait} scaleMs={scaleMs} />
                  <span className={`wait-total ${wait.interrupted ? "warn" : ""}`}>
                    {millis(wait.totalMs)}
                  </span>
                </button>
              </li>
            ) : null;
          })}
        </ul>
      </section>
      <ul className="legend">
        {PARTS.filter(([name]) => used.has(name)).map(([name, text]) => (
          <li key={name}>
            <i className={name === "tools" ? "tools-part" : name} aria-hidden="true" />
            {text}
          </li>
        ))}
      </ul>
    </div>
  );
}
