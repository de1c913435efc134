/** The sound of both sides as bars: what was heard in full colour, what was generated and not heard in outline. */
import { memo } from "react";
import type { Peaks } from "../../api/types";
import { bars, barsPath, unheard } from "../../lib/waveform";

const PITCH = 3;
/** Free room above and below the loudest bar. */
const MARGIN = 7;

interface Props {
  peaks: Peaks;
  fromMs: number;
  toMs: number;
  width: number;
  height: number;
}

interface LaneProps {
  name: string;
  paths: [cls: string, d: string][];
  width: number;
  height: number;
}

function Lane({ name, paths, width, height }: LaneProps) {
  return (
    <svg className={`lane ${name}`} width={width} height={height} aria-hidden="true">
      {paths.map(([cls, d]) => (
        <path key={cls} className={cls} d={d} strokeWidth={PITCH - 1} />
      ))}
    </svg>
  );
}

export const Lanes = memo(function Lanes({ peaks, fromMs, toMs, width, height }: Props) {
  const many = Math.max(1, Math.floor(width / PITCH));
  const read = (lane: number[]) => bars(lane, peaks.per_second, fromMs, toMs, many);
  const path = (values: number[], floor = true) =>
    barsPath(values, PITCH, height / 2, height / 2 - MARGIN, floor);
  const heard = read(peaks.heard);
  const lost = unheard(read(peaks.assistant), heard);
  return (
    <>
      <Lane name="user" width={width} height={height} paths={[["bars", path(read(peaks.user))]]} />
      <Lane
        name="assistant"
        width={width}
        height={height}
        paths={[
          ["bars", path(heard)],
          ["bars lost", path(lost, false)],
        ]}
      />
    </>
  );
});
