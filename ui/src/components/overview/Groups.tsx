/** The same figures side by side by model, project or tag; each line leads to its calls. */
import { Link } from "@tanstack/react-router";
import type { Figures, StatsGroup } from "../../api/schema";
import { FIGURES } from "../../lib/figures";
import { fieldPart } from "../../lib/filter-text";
import { count, millis } from "../../lib/format";
import type { OverviewGroup, SessionsSearch } from "../../router";
import { Tabs } from "../Tabs";

const GROUPS = [
  { id: "model", label: "By model" },
  { id: "project", label: "By project" },
  { id: "tag", label: "By tag" },
] as const;

interface Props {
  by: OverviewGroup;
  groups: readonly StatsGroup[];
  total: Figures;
  onChange: (by: OverviewGroup) => void;
  searchOf: (filter: string) => SessionsSearch;
}

function Line({ figures, most }: { figures: Figures; most: number }) {
  return (
    <>
      <td className="figure" data-label={FIGURES[0]?.title}>
        <span className="share" aria-hidden="true">
          <span style={{ width: `${(100 * figures.calls) / Math.max(1, most)}%` }} />
        </span>
        <span className="share-number">{count(figures.calls)}</span>
      </td>
      {FIGURES.slice(1).map((figure) => (
        <td key={figure.id} className="figure" data-label={figure.title}>
          {figure.total(figures)}
          {figure.kind === "lines" && (
            <span className="muted"> / {figure.say(figure.lines[1]?.value(figures) ?? null)}</span>
          )}
        </td>
      ))}
    </>
  );
}

export function Groups({ by, groups, total, onChange, searchOf }: Props) {
  const most = Math.max(0, ...groups.map((group) => group.calls));
  return (
    <section className="panel groups" aria-label="Side by side">
      <div className="panel-head">
        <Tabs tabs={GROUPS} selected={by} onSelect={onChange} label="Side by side" />
      </div>
      <div className="scroll-x">
        <table className="table cards">
          <thead>
            <tr>
              <th scope="col">{by}</th>
              {FIGURES.map((figure) => (
                <th key={figure.id} scope="col" className="figure" title={figure.help}>
                  {figure.title}
                  {figure.kind === "lines" && " p50 / p95"}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {groups.map((group) => (
              <tr key={group.value} data-testid="group-row">
                <th scope="row">
                  <Link to="/" search={searchOf(fieldPart(by, group.value))}>
                    {group.value || "none"}
                  </Link>
                </th>
                <Line figures={group} most={most} />
              </tr>
            ))}
            {groups.length === 0 && (
              <tr>
                <td colSpan={FIGURES.length + 1} className="muted">
                  {by === "tag" ? "No call of this time has a tag." : "There was no call in this time."}
                </td>
              </tr>
            )}
          </tbody>
          {groups.length > 1 && by !== "tag" && (
            <tfoot>
              <tr title={`Voice to voice over all: ${millis(total.v2v.p50)}`}>
                <th scope="row">All</th>
                <Line figures={total} most={0} />
              </tr>
            </tfoot>
          )}
        </table>
      </div>
    </section>
  );
}
