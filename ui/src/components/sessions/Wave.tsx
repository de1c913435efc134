/** A call in one cell: the user above the line, the assistant below, as both were heard. */
import { memo } from "react";
import type { SessionSummary } from "../../api/types";

const PITCH = 2;
const HALF = 11;

/** Strokes from the middle line, up or down, as long as each digit says. */
export function strokes(digits: string, direction: 1 | -1): string {
  let path = "";
  for (let at = 0; at < digits.length; at += 1) {
    const level = Number.parseInt(digits[at] ?? "0", 16) || 0;
    if (level > 0) path += `M${at * PITCH + 1} ${HALF}v${((direction * level * (HALF - 1)) / 15).toFixed(1)}`;
  }
  return path;
}

export const Wave = memo(function Wave({ wave, live }: { wave: SessionSummary["wave"]; live: boolean }) {
  if (!wave) return <span className={`wave none ${live ? "live" : ""}`} aria-hidden="true" />;
  const width = wave.user.length * PITCH;
  return (
    <svg
      className="wave"
      width={width}
      height={2 * HALF}
      viewBox={`0 0 ${width} ${2 * HALF}`}
      aria-hidden="true"
      focusable="false"
    >
      <path className="line" d={`M0 ${HALF}H${width}`} />
      <path className="user" d={strokes(wave.user, -1)} />
      <path className="assistant" d={strokes(wave.assistant, 1)} />
    </svg>
  );
});
