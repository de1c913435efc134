/** Whether many sessions are to be deleted; of all that a filter finds, their number has to be typed. */
import { useState } from "react";
import type { DeletedSessions } from "../../api/schema";
import { count, plural } from "../../lib/format";
import type { Target } from "../../lib/targets";
import { toast } from "../../lib/toasts";
import { useOverAll } from "../../lib/use-over-all";
import { Button } from "../Button";
import { Dialog } from "../Dialog";
import { Problem } from "../Problem";
import { Progress } from "../Progress";

interface Props {
  target: Target;
  onClose: () => void;
  onDone: () => void;
}

const seen = (answer: DeletedSessions) => answer.ids.length + answer.live.length;

export function DeleteDialog({ target, onClose, onDone }: Props) {
  const [typed, setTyped] = useState("");
  const remove = useOverAll<DeletedSessions>("/api/sessions/delete", seen);
  const agreed = target.ids !== null || typed.replace(/[\s,.]/g, "") === String(target.count);
  const confirm = async () => {
    let live = 0;
    const all = await remove.run(target, {}, (answer) => {
      live += answer.live.length;
    });
    if (all === null) return;
    const left = live > 0 ? ` ${plural(live, "running call")} left.` : "";
    toast(`${plural(all - live, "session")} deleted.${left}`);
    onDone();
  };
  const actions = (
    <>
      <Button onClick={onClose}>{remove.running ? "Close" : "Keep them"}</Button>
      <Button
        kind="danger"
        data-testid="confirm-delete"
        disabled={remove.running || !agreed}
        onClick={() => void confirm()}
      >
        {remove.running ? "Deleting…" : "Delete"}
      </Button>
    </>
  );
  return (
    <Dialog title={`Delete ${plural(target.count, "session")}?`} onClose={onClose} actions={actions}>
      <p className="muted">
        Their traces, sound and event logs are removed. This cannot be undone. Calls that run are left.
      </p>
      {target.ids === null && (
        <label className="field">
          <span>All that the filter finds. Type their number, {count(target.count)}, to go on</span>
          <input
            className="input"
            inputMode="numeric"
            data-testid="delete-count"
            value={typed}
            onChange={(event) => setTyped(event.target.value)}
          />
        </label>
      )}
      {remove.done !== null && (
        <Progress done={remove.done} of={target.count} name="Sessions deleted" stop={remove.stop} />
      )}
      {remove.error && <Problem error={remove.error} />}
    </Dialog>
  );
}
