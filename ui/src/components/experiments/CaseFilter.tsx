/** Which cases of an experiment are shown: by words, and by how they changed or failed. */

import { count } from "../../lib/format";
import type { ShownCases } from "../../router";

const SHOWN: [value: ShownCases, label: string, compared: boolean][] = [
  ["regressed", "Regressed", true],
  ["improved", "Improved", true],
  ["same", "Same", true],
  ["errors", "With an error", false],
  ["missing", "Without a value", false],
];

interface Props {
  words: string;
  onWords: (words: string) => void;
  show: ShownCases | undefined;
  onShow: (show: ShownCases | undefined) => void;
  /** Whether there is something to compare with, and a score by which. */
  compared: boolean;
  found: number;
  all: number;
}

export function CaseFilter({ words, onWords, show, onShow, compared, found, all }: Props) {
  return (
    <search className="row case-filter">
      <input
        className="input"
        type="search"
        aria-label="Words of cases and answers"
        placeholder="Words of cases and answers"
        value={words}
        data-testid="case-words"
        onChange={(event) => onWords(event.target.value)}
      />
      <select
        className="input"
        aria-label="Which cases"
        value={show ?? ""}
        data-testid="case-show"
        onChange={(event) => onShow(SHOWN.find(([value]) => value === event.target.value)?.[0])}
      >
        <option value="">All cases</option>
        {SHOWN.filter(([, , needs]) => compared || !needs).map(([value, label]) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </select>
      <span className="muted" aria-live="polite">
        {found === all ? `${count(all)} cases` : `${count(found)} of ${count(all)} cases`}
      </span>
    </search>
  );
}
