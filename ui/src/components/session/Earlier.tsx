/** What a request brought along before the user's last words. */

import { plural } from "../../lib/format";
import type { Said } from "../../lib/requests";

const FEW = 6;

export function Earlier({ said }: { said: Said[] }) {
  if (said.length === 0) return null;
  return (
    <details className="earlier" open={said.length <= FEW} data-testid="earlier">
      <summary>{plural(said.length, "earlier message")}</summary>
      <ol>
        {said.map(({ role, text }, n) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: they never change
          <li key={n}>
            <span className="who">{role}</span>
            <p>{text}</p>
          </li>
        ))}
      </ol>
    </details>
  );
}
