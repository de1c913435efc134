/** What stands over and under the waveform: ruler, turns, the provider's marks, tools, events, cuts, evidence. */
import type { CSSProperties } from "react";
import {
  type Block,
  fits,
  gathered,
  type Mark,
  merged,
  roomFor,
  spanTitle,
  speechTitle,
} from "../../lib/call-marks";
import { clock, duration } from "../../lib/format";
import { place, type View } from "../../lib/view";
import { ticks } from "../../lib/waveform";

function box(view: View, { fromMs, toMs }: Block): CSSProperties {
  const left = Math.max(0, place(view, fromMs));
  const right = Math.min(100, place(view, toMs));
  return { left: `${left}%`, width: `max(3px, ${Math.max(0, right - left)}%)` };
}

const within = (view: View, { fromMs, toMs }: Block) => toMs >= view.fromMs && fromMs <= view.toMs;

export type Choose = (block: Block) => void;

interface StripProps {
  blocks: Block[];
  view: View;
  onChoose: Choose;
}

interface StripButton extends StripProps {
  kind: string;
  /** Of a millisecond; without it none are merged. */
  pxPerMs?: number;
  titleOf?: (block: Block) => string;
  /** The words in a block or beside it; nothing where there is no room. */
  words: (block: Block, n: number, shown: Block[]) => { inside?: string; beside?: string };
}

const OWN_TITLE = (block: Block) => block.title ?? "";

function Strip({ kind, blocks, view, pxPerMs, titleOf = OWN_TITLE, onChoose, words }: StripButton) {
  const inView = blocks.filter((block) => within(view, block));
  return (
    <div className={`strip ${kind}`} data-testid={`lane-${kind}`}>
      {(pxPerMs === undefined ? inView : merged(inView, pxPerMs, titleOf)).map((block, n, shown) => {
        const { inside, beside } = words(block, n, shown);
        return (
          <button
            type="button"
            key={block.id}
            tabIndex={-1}
            style={box(view, block)}
            className={block.tone}
            title={block.title}
            aria-label={block.title}
            onClick={() => onChoose(block)}
          >
            {inside} {beside && <span className="beside">{beside}</span>}
          </button>
        );
      })}
    </div>
  );
}

export function Turns({ width, ...props }: StripProps & { width: number }) {
  const pxPerMs = width / (props.view.toMs - props.view.fromMs);
  return (
    <Strip
      {...props}
      kind="turns"
      pxPerMs={pxPerMs}
      titleOf={spanTitle}
      words={(block) => ((block.toMs - block.fromMs) * pxPerMs > 24 ? { inside: block.label } : {})}
    />
  );
}

export function Vad({ width, ...props }: StripProps & { width: number }) {
  const pxPerMs = width / (props.view.toMs - props.view.fromMs);
  return <Strip {...props} kind="vad" pxPerMs={pxPerMs} titleOf={speechTitle} words={() => ({})} />;
}

const CHAR_PX = 6.8;

/** Tools are short: their names stand in their bars where they fit, else beside them where there is room. */
export function Tools({ width, ...props }: StripProps & { width: number }) {
  const pxPerMs = width / (props.view.toMs - props.view.fromMs);
  return (
    <Strip
      {...props}
      kind="tools"
      pxPerMs={pxPerMs}
      titleOf={spanTitle}
      words={(block, n, shown) => {
        const length = duration(block.toMs - block.fromMs);
        const wide = (block.toMs - block.fromMs) * pxPerMs;
        const room = roomFor(shown, n, pxPerMs, props.view.toMs);
        if (wide > block.label.length * CHAR_PX + 14) {
          return { inside: block.label, ...(room > length.length * CHAR_PX + 12 ? { beside: length } : {}) };
        }
        const both = `${block.label} ${length}`;
        return room > both.length * CHAR_PX + 12 ? { beside: both } : {};
      }}
    />
  );
}

export function Evidence(props: StripProps) {
  return <Strip {...props} kind="evidence" words={(block) => ({ inside: block.label })} />;
}

interface EventsProps {
  marks: Mark[];
  view: View;
  width: number;
  onSeek: (ms: number) => void;
}

export function EventMarks({ marks, view, width, onSeek }: EventsProps) {
  const pxPerMs = width / (view.toMs - view.fromMs);
  const shown = gathered(
    marks.filter((mark) => mark.ms >= view.fromMs && mark.ms <= view.toMs),
    pxPerMs,
  );
  return (
    <div className="strip event-marks" data-testid="lane-events">
      {shown.map((mark) => (
        <button
          type="button"
          key={mark.id}
          tabIndex={-1}
          className={mark.tone}
          style={{ left: `${place(view, mark.ms)}%` }}
          title={mark.title}
          aria-label={mark.title}
          onClick={() => onSeek(mark.ms)}
        />
      ))}
    </div>
  );
}

export function Ruler({ view, width }: { view: View; width: number }) {
  const times = ticks(view.fromMs, view.toMs, width);
  const precise = times.some((ms) => ms % 1000 !== 0);
  return (
    <>
      {times.map((ms) => (
        <span key={ms} style={{ left: `${place(view, ms)}%` }}>
          {clock(ms, precise ? 1 : 0)}
        </span>
      ))}
    </>
  );
}

/** Lines of the ruler through all lanes. */
export function Grid({ view, width }: { view: View; width: number }) {
  return (
    <div className="grid-lines" aria-hidden="true">
      {ticks(view.fromMs, view.toMs, width).map((ms) => (
        <i key={ms} style={{ left: `${place(view, ms)}%` }} />
      ))}
    </div>
  );
}

interface AreaProps {
  blocks: Block[];
  view: View;
  width: number;
  kind: string;
}

/** Stretches behind or over the sound, with their words where there is room. */
export function Areas({ blocks, view, width, kind }: AreaProps) {
  const pxPerMs = width / (view.toMs - view.fromMs);
  return blocks
    .filter((block) => within(view, block))
    .map((block, n, shown) => (
      <div key={block.id} className={`area ${kind}`} style={box(view, block)} title={block.title}>
        {block.label && fits(shown, n, pxPerMs, block.label.length, view.toMs) && (
          <span className="area-label">{block.label}</span>
        )}
      </div>
    ));
}
