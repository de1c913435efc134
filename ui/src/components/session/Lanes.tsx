/** The sound of both sides as bars: what was heard in full colour, what was generated and not heard in outline. */
import { memo } from "react";
import type { Peaks } from "../../api/types";
import { bars, barsPath, unheard } from "../../lib/waveform";

const PITCH = 3;
const HALF = 28;
export const LANE_HEIGHT = 68;

interface Props {
  peaks: Peaks;
  fromMs: number;
  toMs: number;
  width: number;
}

function Lane({ name, paths, width }: { name: string; paths: [cls: string, d: string][]; width: number }) {
  return (
    <svg className={`lane ${name}`} width={width} height={LANE_HEIGHT} aria-hidden="true">
      {paths.map(([cls, d]) => (
        <path key={cls} className={cls} d={d} strokeWidth={PITCH - 1} />
      ))}
    </svg>
  );
}

export const Lanes = memo(function Lanes({ peaks, fromMs, toMs, width }: Props) {
  const many = Math.max(1, Math.floor(width / PITCH));
  const read = (lane: number[]) => bars(lane, peaks.per_second, fromMs, toMs, many);
  const path = (values: number[], floor = true) => barsPath(values, PITCH, LANE_HEIGHT / 2, HALF, floor);
  const heard = read(peaks.heard);
  const lost = unheard(read(peaks.assistant), heard);
  return (
    <>
      <Lane name="user" width={width} paths={[["bars", path(read(peaks.user))]]} />
      <Lane
        name="assistant"
        width={width}
        paths={[
          ["bars", path(heard)],
          ["bars lost", path(lost, false)],
        ]}
      />
    </>
  );
});
