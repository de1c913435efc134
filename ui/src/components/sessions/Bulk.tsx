/** What can be done with the sessions that are selected, or with all that the filter finds. */
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { get, withQuery } from "../../api/client";
import type { SessionFilter } from "../../api/queries";
import type { SessionCount } from "../../api/schema";
import type { SessionSummary } from "../../api/types";
import { count, plural } from "../../lib/format";
import { useIsAdmin } from "../../lib/me";
import { type Target, until } from "../../lib/targets";
import { toastError } from "../../lib/toasts";
import { Button } from "../Button";
import { AddToDataset } from "../datasets/AddToDataset";
import { DeleteDialog } from "./DeleteDialog";
import { ExportMenu } from "./ExportMenu";
import { TagDialog } from "./TagDialog";

/** All that a filter finds now, counted; calls that begin later are not among them. */
async function wholeFilter({ q, project }: SessionFilter): Promise<Target> {
  const filter = { q: until(q, new Date()), project };
  const found = await get<SessionCount>(withQuery("/api/sessions/count", filter));
  return { count: found.sessions, ids: null, filter };
}

interface Props {
  selected: readonly SessionSummary[];
  /** Of the list. */
  filter: SessionFilter;
  /** Whether all that are loaded are ticked: then all that are found can be meant. */
  allLoaded: boolean;
  onClear: () => void;
}

type Asked = "tags" | "delete" | "dataset" | null;

export function Bulk({ selected, filter, allLoaded, onClear }: Props) {
  const isAdmin = useIsAdmin();
  const [dialog, setDialog] = useState<Asked>(null);
  const [whole, setWhole] = useState<{ of: string; target: Target } | null>(null);
  const name = JSON.stringify([filter.q, filter.project]);
  const all = useMutation({ mutationFn: () => wholeFilter(filter), onError: toastError });
  const take = () => all.mutate(undefined, { onSuccess: (target) => setWhole({ of: name, target }) });
  const ticked: Target = { count: selected.length, ids: selected.map((one) => one.id), filter: {} };
  // Another filter finds others, and a box that is cleared says that not all are meant.
  const target = whole?.of === name && allLoaded ? whole.target : ticked;
  const tags = [...new Set(selected.flatMap((one) => one.tags))].sort();
  const close = () => setDialog(null);
  return (
    <section className="bulk panel" aria-label="Selected sessions" data-testid="bulk">
      <strong aria-live="polite">
        {target.ids
          ? `${plural(target.count, "session")} selected`
          : `All ${count(target.count)} that the filter finds`}
      </strong>
      {target.ids && allLoaded && (
        <Button kind="quiet" data-testid="bulk-all" disabled={all.isPending} onClick={take}>
          Select all that the filter finds
        </Button>
      )}
      {isAdmin && (
        <Button icon="bookmark" data-testid="bulk-dataset" onClick={() => setDialog("dataset")}>
          Add to data set…
        </Button>
      )}
      {isAdmin && (
        <Button icon="tag" data-testid="bulk-tags" onClick={() => setDialog("tags")}>
          Tags…
        </Button>
      )}
      <ExportMenu target={target} />
      {isAdmin && (
        <Button kind="danger" icon="trash" data-testid="bulk-delete" onClick={() => setDialog("delete")}>
          Delete…
        </Button>
      )}
      <span className="grow" />
      <Button kind="quiet" onClick={onClear}>
        Clear the selection
      </Button>
      {dialog === "dataset" && (
        <AddToDataset target={target} project={filter.project || selected[0]?.project} onClose={close} />
      )}
      {dialog === "tags" && <TagDialog target={target} tags={tags} onClose={close} />}
      {dialog === "delete" && <DeleteDialog target={target} onClose={close} onDone={onClear} />}
    </section>
  );
}
