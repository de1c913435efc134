/** One figure over time: read with the pointer or the arrow keys; a click or Enter opens the calls behind it. */
import { type KeyboardEvent, type PointerEvent, useLayoutEffect, useRef, useState } from "react";
import type { StatsBucket } from "../../api/schema";
import { axisLabel, barsPath, bucketAt, bucketLabel, largest, linePath, niceMax } from "../../lib/chart";
import type { Figure } from "../../lib/figures";

const HEIGHT = 84;
const MOST_LABELS = 4;

interface Props {
  figure: Figure;
  buckets: readonly StatsBucket[];
  bucketSeconds: number;
  /** The bucket that is looked at, in all charts at once. */
  at: number | null;
  onLook: (at: number | null) => void;
  onOpen: (at: number) => void;
}

function useWidth() {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(320);
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const observer = new ResizeObserver(([entry]) => entry && setWidth(entry.contentRect.width));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return { box, width };
}

function said(figure: Figure, bucket: StatsBucket): string {
  return figure.lines
    .map((line) => `${figure.lines.length > 1 ? `${line.name} ` : ""}${figure.say(line.value(bucket))}`)
    .join(", ");
}

export function Chart({ figure, buckets, bucketSeconds, at, onLook, onOpen }: Props) {
  const { box, width } = useWidth();
  const series = figure.lines.map((line) => buckets.map(line.value));
  const max = niceMax(largest(series));
  const count = buckets.length;
  const current = at !== null ? buckets[at] : undefined;
  const text = (bucket: StatsBucket) =>
    `${bucketLabel(bucket.start, bucketSeconds)}: ${said(figure, bucket)}`;

  const look = (event: PointerEvent<HTMLDivElement>) => {
    const { left } = event.currentTarget.getBoundingClientRect();
    onLook(bucketAt(event.clientX - left, width, count));
  };
  const press = (event: KeyboardEvent) => {
    const now = at ?? count;
    const to = { ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: count - 1 }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      onLook(Math.max(0, Math.min(count - 1, to)));
    } else if (event.key === "Enter" && at !== null) {
      onOpen(at);
    } else if (event.key === "Escape") {
      onLook(null);
    }
  };
  return (
    <div className={`chart ${figure.tone}`}>
      <div
        ref={box}
        className="chart-plot"
        role="slider"
        tabIndex={0}
        aria-label={`${figure.title} over time`}
        aria-valuemin={0}
        aria-valuemax={Math.max(0, count - 1)}
        aria-valuenow={at ?? Math.max(0, count - 1)}
        aria-valuetext={current ? text(current) : "Arrow keys go through the times, Enter opens the calls"}
        data-testid={`chart-${figure.id}`}
        onPointerMove={look}
        onPointerLeave={() => onLook(null)}
        onClick={() => at !== null && onOpen(at)}
        onKeyDown={press}
        onBlur={() => onLook(null)}
      >
        <svg width={width} height={HEIGHT} aria-hidden="true" focusable="false">
          <path className="grid" d={`M0 0.5H${width}M0 ${HEIGHT / 2}H${width}M0 ${HEIGHT - 0.5}H${width}`} />
          {current && at !== null && (
            <rect className="looked" x={(at * width) / count} width={width / count} y={0} height={HEIGHT} />
          )}
          {figure.kind === "bars" ? (
            <path className="bars" d={barsPath(series[0] ?? [], max, width, HEIGHT)} />
          ) : (
            figure.lines.map((line, index) => (
              <path
                key={line.name}
                className={line.dashed ? "line dashed" : "line"}
                d={linePath(series[index] ?? [], max, width, HEIGHT)}
              />
            ))
          )}
        </svg>
        <span className="chart-max">{figure.say(max)}</span>
      </div>
      <Axis buckets={buckets} bucketSeconds={bucketSeconds} />
      <p className="chart-said" aria-hidden="true">
        {current ? text(current) : figure.lines.length > 1 ? <Legend figure={figure} /> : " "}
      </p>
      <ChartTable figure={figure} buckets={buckets} bucketSeconds={bucketSeconds} />
    </div>
  );
}

function Legend({ figure }: { figure: Figure }) {
  return figure.lines.map((line) => (
    <span key={line.name} className={`legend ${line.dashed ? "dashed" : ""}`}>
      {line.name}
    </span>
  ));
}

function Axis({ buckets, bucketSeconds }: Pick<Props, "buckets" | "bucketSeconds">) {
  const every = Math.max(1, Math.ceil(buckets.length / MOST_LABELS));
  const shown = buckets.filter((_, at) => at % every === 0);
  return (
    <div className="chart-axis" aria-hidden="true">
      {shown.map((bucket) => (
        <span key={bucket.start}>{axisLabel(bucket.start, bucketSeconds * buckets.length)}</span>
      ))}
    </div>
  );
}

/** The same for screen readers: the times in which there were calls. */
function ChartTable({ figure, buckets, bucketSeconds }: Pick<Props, "figure" | "buckets" | "bucketSeconds">) {
  return (
    <div className="visually-hidden">
      <table>
        <caption>{figure.title}</caption>
        <thead>
          <tr>
            <th scope="col">From</th>
            {figure.lines.map((line) => (
              <th key={line.name} scope="col">
                {line.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {buckets
            .filter((bucket) => bucket.calls > 0)
            .map((bucket) => (
              <tr key={bucket.start}>
                <th scope="row">{bucketLabel(bucket.start, bucketSeconds)}</th>
                {figure.lines.map((line) => (
                  <td key={line.name}>{figure.say(line.value(bucket))}</td>
                ))}
              </tr>
            ))}
        </tbody>
      </table>
    </div>
  );
}
