/** Recorded calls become cases: of which data set, the whole call or its turns, and what is expected of them. */
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { datasetsQuery, type FromSessions, useAddFromSessions, useNewDataset } from "../../api/evaluations";
import { plural } from "../../lib/format";
import { partsOf, type Target } from "../../lib/targets";
import { Button } from "../Button";
import { Dialog } from "../Dialog";
import { Problem } from "../Problem";

const NEW = "";
type Turns = "session" | "each" | "this";
type Expected = "said" | "none" | "corrected";

interface Props {
  target: Target;
  /** Of the calls: a new data set gets it. */
  project: string | undefined;
  /** The span of a turn, where one was chosen. */
  turn?: string | undefined;
  /** What a person wrote down as the right answer. */
  corrected?: string | null;
  onClose: () => void;
}

function requests(target: Target, turns: FromSessions["turns"], expected: Expected): FromSessions[] {
  const rest = { turns, expected: expected === "none" ? "none" : "said", tags: [] } as const;
  return partsOf(target).map(({ ids, q, project }) =>
    ids
      ? { sessions: ids as string[], ...rest }
      : { q: String(q), ...(project ? { project: String(project) } : {}), ...rest },
  );
}

interface ChoiceProps<T extends string> {
  legend: string;
  name: string;
  options: readonly (readonly [value: T, label: string])[];
  value: T;
  onChange: (value: T) => void;
}

function Choice<T extends string>({ legend, name, options, value, onChange }: ChoiceProps<T>) {
  return (
    <fieldset className="choice">
      <legend>{legend}</legend>
      {options.map(([one, label]) => (
        <label className="check" key={one}>
          <input
            type="radio"
            name={name}
            checked={one === value}
            data-testid={`${name}-${one}`}
            onChange={() => onChange(one)}
          />
          <span>{label}</span>
        </label>
      ))}
    </fieldset>
  );
}

/** The data sets that there are, and a new one. */
function useChosenDataset(project: string | undefined) {
  const list = useInfiniteQuery(datasetsQuery);
  const rows = list.data?.pages.flatMap((page) => page.items) ?? [];
  const [picked, setPicked] = useState<string | null>(null);
  const [name, setName] = useState("");
  const make = useNewDataset();
  const id = picked ?? rows.find((row) => row.project === project)?.id ?? rows[0]?.id ?? NEW;
  const idOf = async () =>
    id !== NEW
      ? id
      : (await make.mutateAsync({ name: name.trim(), project: project || null, description: "" })).id;
  return { list, rows, id, name, setName, setPicked, idOf, error: list.error ?? make.error };
}

export function AddToDataset({ target, project, turn, corrected = null, onClose }: Props) {
  const chosen = useChosenDataset(project);
  const [turns, setTurns] = useState<Turns>(turn ? "this" : "session");
  const [expected, setExpected] = useState<Expected>(corrected ? "corrected" : "said");
  const add = useAddFromSessions();
  const one = target.ids?.length === 1;
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const which = turns === "this" && turn ? [turn] : turns === "each" ? "each" : "session";
    try {
      const dataset = await chosen.idOf();
      const parts = requests(target, which, expected);
      add.mutate({ dataset, parts, corrected: expected === "corrected" ? corrected : null });
    } catch {
      // Making the data set failed: `chosen.error` says why.
    }
  };
  if (add.data) return <Added id={add.variables.dataset} sum={add.data} onClose={onClose} />;
  const error = chosen.error ?? add.error;
  return (
    <Dialog
      title={one ? "Save as a case" : `Add ${plural(target.count, "call")} to a data set`}
      onClose={onClose}
    >
      <form className="stack" onSubmit={(event) => void submit(event)}>
        <label className="field">
          <span>Data set</span>
          <select
            className="input"
            value={chosen.id}
            data-testid="pick-dataset"
            onChange={(event) => chosen.setPicked(event.target.value)}
          >
            {chosen.rows.map((row) => (
              <option key={row.id} value={row.id}>
                {row.name} ({row.project}, {plural(row.cases, "case")})
              </option>
            ))}
            <option value={NEW}>A new one…</option>
          </select>
        </label>
        {chosen.id === NEW && (
          <label className="field">
            <span>Its name</span>
            <input
              className="input"
              required
              maxLength={100}
              placeholder="refunds"
              value={chosen.name}
              data-testid="dataset-name"
              onChange={(event) => chosen.setName(event.target.value)}
            />
          </label>
        )}
        <Choice
          legend="Cases"
          name="turns"
          options={[
            ...(turn ? ([["this", "This turn"]] as const) : []),
            ["session", one ? "The whole call" : "One for each call"],
            ["each", "One for each turn"],
          ]}
          value={turns}
          onChange={setTurns}
        />
        <Choice
          legend="Expected"
          name="expected"
          options={[
            ...(corrected && one && turns !== "each"
              ? ([["corrected", `What a person wrote: “${corrected}”`]] as const)
              : []),
            ["said", "What was said and which tools were called"],
            ["none", "Nothing yet"],
          ]}
          value={expected === "corrected" && turns === "each" ? "said" : expected}
          onChange={setExpected}
        />
        <p className="muted">
          A case keeps its own copy of the recording, as it is stored now: it stays when the call is deleted.
        </p>
        {error && <Problem error={error} />}
        <div className="dialog-actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button
            kind="primary"
            submit
            data-testid="add-cases"
            disabled={chosen.list.isPending || add.isPending || (chosen.id === NEW && !chosen.name.trim())}
          >
            {add.isPending ? "Copying…" : "Add"}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

interface AddedProps {
  id: string;
  sum: { made: number; known: number; skipped: number };
  onClose: () => void;
}

function Added({ id, sum, onClose }: AddedProps) {
  const actions = (
    <>
      <Button onClick={onClose}>Stay here</Button>
      <Link to="/datasets/$id" params={{ id }} className="button primary" data-testid="open-dataset">
        Open the data set
      </Link>
    </>
  );
  return (
    <Dialog title={`${plural(sum.made, "case")} added`} onClose={onClose} actions={actions}>
      {sum.known > 0 && <p>{plural(sum.known, "case")} had been there before and stayed.</p>}
      {sum.skipped > 0 && <p>{plural(sum.skipped, "call")} still ran and came not along.</p>}
      {sum.made === 0 && sum.known === 0 && <p>The user says nothing in these calls.</p>}
    </Dialog>
  );
}
