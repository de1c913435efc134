/** What is recorded, for how long, and what is taken out: for all projects, and for each that has rules of its own. */
import { useQuery } from "@tanstack/react-query";
import { rulesQuery } from "../../api/management";
import type { Rules } from "../../api/schema";
import { plural } from "../../lib/format";
import { Problem } from "../Problem";
import { ScrollX } from "../ScrollX";
import { Skeleton } from "../Skeleton";

const days = (count: number | null) => (count === null ? "for ever" : plural(count, "day"));

function recorded({ audio, text }: Rules): string {
  if (audio && text) return "sound and words";
  if (audio) return "sound, no words";
  return text ? "words, no sound" : "neither sound nor words: only what happened when";
}

/** The sooner of what holds for all and of what the project says. */
function soonest(own: number | null, all: number | null): number | null {
  if (own === null || all === null) return own ?? all;
  return Math.min(own, all);
}

function Row({ rules, all }: { rules: Rules; all: Rules }) {
  const patterns = Object.entries(rules.redact);
  return (
    <tr data-testid="rules-row">
      <td>{rules.project ?? <span className="muted">every other project</span>}</td>
      <td data-label="Recorded">{recorded(rules)}</td>
      <td data-label="Kept">{days(soonest(rules.retention_days, all.retention_days))}</td>
      <td data-label="Their sound">{days(soonest(rules.audio_retention_days, all.audio_retention_days))}</td>
      <td data-label="Taken out">
        {patterns.length === 0 && <span className="muted">nothing</span>}
        {patterns.map(([name, pattern]) => (
          <code key={name} className="pattern" title={pattern}>
            {name}
          </code>
        ))}
      </td>
      <td data-label="Pages that may call">
        {rules.allowed_origins?.join(", ") ?? <span className="muted">any page</span>}
      </td>
    </tr>
  );
}

export function RulesTable() {
  const found = useQuery(rulesQuery);
  const all = found.data?.items[0];
  return (
    <section className="panel" aria-label="Recording, retention and redaction">
      <div className="panel-head">
        <h2>Recording, retention and redaction</h2>
        <span className="muted">
          <code>[projects.NAME]</code> in voxgate.toml; a credential may only be stricter
        </span>
      </div>
      {found.error && <Problem error={found.error} retry={() => void found.refetch()} />}
      {found.isPending && <Skeleton name="Rules" lines={3} />}
      {all && (
        <ScrollX name="Rules, scrolling">
          <table className="table manage cards" aria-label="Rules">
            <thead>
              <tr>
                <th scope="col">Project</th>
                <th scope="col">Recorded</th>
                <th scope="col">Recordings are kept</th>
                <th scope="col">Their sound</th>
                <th scope="col">Taken out of words and sound</th>
                <th scope="col">Pages that may call</th>
              </tr>
            </thead>
            <tbody>
              {found.data?.items.map((rules) => (
                <Row key={rules.project ?? ""} rules={rules} all={all} />
              ))}
            </tbody>
          </table>
        </ScrollX>
      )}
    </section>
  );
}
