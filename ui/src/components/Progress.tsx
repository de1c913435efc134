/** How far something is that takes a while, and a way to stop it. */
import { count } from "../lib/format";
import { Button } from "./Button";

export function Progress({
  done,
  of,
  name,
  stop,
}: {
  done: number;
  of: number;
  name: string;
  stop?: () => void;
}) {
  return (
    <div className="row progress" data-testid="progress">
      <progress className="grow" value={done} max={Math.max(of, 1)} aria-label={name} />
      <span className="figure" aria-live="polite">
        {count(done)} of {count(of)}
      </span>
      {stop && <Button onClick={stop}>Stop</Button>}
    </div>
  );
}
