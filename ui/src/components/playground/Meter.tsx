/** A level from 0 to 1, drawn without React: it changes 25 times a second. */
import { useEffect, useRef } from "react";

interface Props {
  side: "user" | "assistant";
  read: () => number;
  testId: string;
}

export function Meter({ side, read, testId }: Props) {
  const bar = useRef<HTMLSpanElement>(null);
  const current = useRef(read);
  useEffect(() => {
    current.current = read;
  });
  useEffect(() => {
    let frame = 0;
    let shown = 0;
    const draw = () => {
      // Up at once, down slowly: the eye reads peaks.
      shown = Math.max(current.current(), shown * 0.9);
      if (bar.current) bar.current.style.transform = `scaleX(${shown.toFixed(3)})`;
      frame = requestAnimationFrame(draw);
    };
    draw();
    return () => cancelAnimationFrame(frame);
  }, []);
  return (
    <div className={`meter ${side}`} aria-hidden="true">
      <span ref={bar} data-testid={testId} />
    </div>
  );
}
