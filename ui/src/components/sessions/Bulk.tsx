/** What can be done with the sessions that are selected. */
import { type FormEvent, useState } from "react";
import { useChangeTags, useDeleteSessions } from "../../api/queries";
import type { SessionSummary } from "../../api/types";
import { plural } from "../../lib/format";
import { useIsAdmin } from "../../lib/me";
import { toast } from "../../lib/toasts";
import { Button } from "../Button";
import { Chip } from "../Chip";
import { Dialog } from "../Dialog";
import { Icon } from "../Icon";
import { Problem } from "../Problem";

/** As many as the server takes at once. */
export const MOST_SELECTED = 500;

export function exportUrl(ids: readonly string[]): string {
  return `/api/sessions/export?${new URLSearchParams(ids.map((id) => ["id", id])).toString()}`;
}

const words = (text: string) => [...new Set(text.split(",").map((one) => one.trim()))].filter(Boolean);

interface DialogProps {
  sessions: readonly SessionSummary[];
  onClose: () => void;
}

function TagDialog({ sessions, onClose }: DialogProps) {
  const [text, setText] = useState("");
  const [gone, setGone] = useState<readonly string[]>([]);
  const change = useChangeTags();
  const there = [...new Set(sessions.flatMap((one) => one.tags))].sort();
  const add = words(text);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const body = {
      ids: sessions.map((one) => one.id),
      add,
      remove: gone.filter((tag) => !add.includes(tag)),
    };
    change.mutate(body, {
      onSuccess: ({ ids }) => {
        toast(`The tags of ${plural(ids.length, "session")} are changed.`);
        onClose();
      },
    });
  };
  return (
    <Dialog title={`Tags of ${plural(sessions.length, "session")}`} onClose={onClose}>
      <form className="stack" onSubmit={submit}>
        {there.length > 0 && (
          <div className="row">
            {there
              .filter((tag) => !gone.includes(tag))
              .map((tag) => (
                <Chip key={tag} name={`the tag ${tag}`} onRemove={() => setGone([...gone, tag])}>
                  {tag}
                </Chip>
              ))}
            {gone.length > 0 && <span className="muted">{plural(gone.length, "tag")} to take away</span>}
          </div>
        )}
        <label className="field">
          <span>Add tags, with commas between</span>
          <input
            className="input"
            data-testid="tags-input"
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
        </label>
        {change.error && <Problem error={change.error} />}
        <div className="dialog-actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button
            kind="primary"
            submit
            data-testid="save-tags"
            disabled={change.isPending || (add.length === 0 && gone.length === 0)}
          >
            Change
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function DeleteDialog({ sessions, onClose, onDone }: DialogProps & { onDone: () => void }) {
  const remove = useDeleteSessions();
  const confirm = () =>
    remove.mutate(
      sessions.map((one) => one.id),
      {
        onSuccess: ({ ids, live }) => {
          const left = live.length > 0 ? ` ${plural(live.length, "running call")} left.` : "";
          toast(`${plural(ids.length, "session")} deleted.${left}`);
          onDone();
        },
      },
    );
  const actions = (
    <>
      <Button onClick={onClose}>Keep them</Button>
      <Button kind="danger" data-testid="confirm-delete" disabled={remove.isPending} onClick={confirm}>
        {remove.isPending ? "Deleting…" : "Delete"}
      </Button>
    </>
  );
  return (
    <Dialog title={`Delete ${plural(sessions.length, "session")}?`} onClose={onClose} actions={actions}>
      <p className="muted">
        Their traces, sound and event logs are removed. This cannot be undone. Calls that run are left.
      </p>
      {remove.error && <Problem error={remove.error} />}
    </Dialog>
  );
}

interface Props {
  selected: readonly SessionSummary[];
  onClear: () => void;
}

export function Bulk({ selected, onClear }: Props) {
  const isAdmin = useIsAdmin();
  const [dialog, setDialog] = useState<"tags" | "delete" | null>(null);
  const many = selected.length > MOST_SELECTED;
  return (
    <section className="bulk panel" aria-label="Selected sessions" data-testid="bulk">
      <strong aria-live="polite">{plural(selected.length, "session")} selected</strong>
      {many && <span className="warn">At most {MOST_SELECTED} at once.</span>}
      {isAdmin && (
        <Button icon="tag" disabled={many} data-testid="bulk-tags" onClick={() => setDialog("tags")}>
          Tags…
        </Button>
      )}
      {!many && (
        <a className="button" href={exportUrl(selected.map((one) => one.id))} download="sessions.jsonl">
          <Icon name="download" /> Export
        </a>
      )}
      {isAdmin && (
        <Button
          kind="danger"
          icon="trash"
          disabled={many}
          data-testid="bulk-delete"
          onClick={() => setDialog("delete")}
        >
          Delete…
        </Button>
      )}
      <span className="grow" />
      <Button kind="quiet" onClick={onClear}>
        Clear the selection
      </Button>
      {dialog === "tags" && <TagDialog sessions={selected} onClose={() => setDialog(null)} />}
      {dialog === "delete" && (
        <DeleteDialog sessions={selected} onClose={() => setDialog(null)} onDone={onClear} />
      )}
    </section>
  );
}
