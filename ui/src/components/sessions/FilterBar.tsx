/** How the list is narrowed: project, text, and the same text as chips that can be added and taken away. */
import { useQuery } from "@tanstack/react-query";
import type { RefObject } from "react";
import { facetsQuery, projectsQuery } from "../../api/queries";
import { fieldPart, parts, withoutPart, withPart } from "../../lib/filter-text";
import { count } from "../../lib/format";
import { isKind } from "../../lib/requests";
import { scoreNamesQuery } from "../../lib/score-names";
import { Button } from "../Button";
import { Chip } from "../Chip";
import { Icon } from "../Icon";
import { Menu, MenuItem } from "../Menu";
import { FilterInput } from "./FilterInput";
import { KindFilter } from "./Kind";

export interface Narrowed {
  project: string;
  q: string;
}

interface Props extends Narrowed {
  onChange: (change: Partial<Narrowed>) => void;
  input: RefObject<HTMLInputElement | null>;
  error: Error | null;
}

const SHOWN = ["status", "model", "provider", "tag", "tool", "error"];
const MOST_VALUES = 8;
const QUICK: [label: string, part: string][] = [
  ["Last 24 hours", "last:24h"],
  ["Last 7 days", "last:7d"],
  ["Slow: voice to voice over 2 s", "v2v_p95>2s"],
  ["Interrupted answers", "interruptions>0"],
  ["Failed tools", "tool_error_rate>0"],
];

function Projects({ project, onChange }: Pick<Props, "project" | "onChange">) {
  const projects = useQuery(projectsQuery).data?.items ?? [];
  const known = projects.some((one) => one.name === project);
  return (
    <select
      className="input"
      aria-label="Project"
      data-testid="project-select"
      value={project}
      onChange={(event) => onChange({ project: event.target.value })}
    >
      <option value="">All projects</option>
      {project && !known && <option value={project}>{project}</option>}
      {projects.map((one) => (
        <option key={one.name} value={one.name}>
          {one.name} ({count(one.sessions)})
        </option>
      ))}
    </select>
  );
}

/** Asked for when the menu is open. */
function ScoreItems({ project, onAdd }: { project: string; onAdd: (part: string) => void }) {
  const names = useQuery(scoreNamesQuery({ project, q: "" })).data ?? [];
  if (names.length === 0) return null;
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset belongs to a form, this to a menu.
    <div role="group" aria-label="score">
      <p className="menu-head">score</p>
      {names.map((name) => (
        <MenuItem key={name} onSelect={() => onAdd(`has:score.${name}`)}>
          {name}
        </MenuItem>
      ))}
    </div>
  );
}

function AddFilter({ project, q, onChange }: Pick<Props, "project" | "q" | "onChange">) {
  const facets = useQuery(facetsQuery({ project })).data?.facets ?? {};
  const add = (part: string) => onChange({ q: withPart(q, part) });
  const label = (
    <>
      <Icon name="plus" /> Filter
    </>
  );
  return (
    <Menu label={label} name="Add a filter" testId="add-filter" className="button small" side="left">
      <p className="menu-head">Often used</p>
      {QUICK.map(([text, part]) => (
        <MenuItem key={part} onSelect={() => add(part)}>
          {text}
        </MenuItem>
      ))}
      {SHOWN.map((field) => {
        const values = facets[field]?.slice(0, MOST_VALUES) ?? [];
        if (values.length === 0) return null;
        return (
          // biome-ignore lint/a11y/useSemanticElements: a fieldset belongs to a form, this to a menu.
          <div key={field} role="group" aria-label={field}>
            <p className="menu-head">{field}</p>
            {values.map(({ value, count: many }) => (
              <MenuItem key={value} onSelect={() => add(fieldPart(field, value))}>
                <span className="grow ellipsis">{value}</span>
                <span className="muted">{count(many)}</span>
              </MenuItem>
            ))}
          </div>
        );
      })}
      <ScoreItems project={project} onAdd={add} />
    </Menu>
  );
}

export function FilterBar({ project, q, onChange, input, error }: Props) {
  const chips = parts(q).filter((part) => !isKind(part.text));
  return (
    <search className="filter-bar">
      <Projects project={project} onChange={onChange} />
      <FilterInput
        q={q}
        project={project}
        onChange={(next) => onChange({ q: next })}
        input={input}
        error={error}
      />
      <div className="chips">
        <KindFilter q={q} onChange={(next) => onChange({ q: next })} />
        <AddFilter project={project} q={q} onChange={onChange} />
        {chips.map((part) => (
          <Chip
            key={`${part.start}-${part.text}`}
            name={part.text}
            onRemove={() => onChange({ q: withoutPart(q, part) })}
          >
            {part.text}
          </Chip>
        ))}
        {chips.length > 1 && (
          <Button kind="quiet" onClick={() => onChange({ q: "" })}>
            Clear
          </Button>
        )}
      </div>
    </search>
  );
}
