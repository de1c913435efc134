/** A button that deletes something for good: it asks before, and says why it could not. */
import { type ReactNode, useState } from "react";
import { Button } from "./Button";
import { Dialog } from "./Dialog";
import { Problem } from "./Problem";

interface Props {
  /** What the button does, for who does not see it. */
  label: string;
  name: string;
  /** As the query library gives it. */
  by: {
    mutate: (nothing: undefined, then: { onSuccess: () => void }) => void;
    isPending: boolean;
    error: Error | null;
  };
  onDeleted: () => void;
  /** What goes with it. */
  children: ReactNode;
}

export function Delete({ label, name, by, onDeleted, children }: Props) {
  const [asking, setAsking] = useState(false);
  const close = () => setAsking(false);
  const actions = (
    <>
      <Button onClick={close}>Keep it</Button>
      <Button
        kind="danger"
        data-testid="confirm-delete"
        disabled={by.isPending}
        onClick={() => by.mutate(undefined, { onSuccess: onDeleted })}
      >
        Delete
      </Button>
    </>
  );
  return (
    <>
      <Button
        kind="danger"
        icon="trash"
        aria-label={label}
        data-testid="delete"
        onClick={() => setAsking(true)}
      />
      {asking && (
        <Dialog title={`Delete “${name}”?`} onClose={close} actions={actions}>
          <p className="muted">{children} This cannot be undone.</p>
          {by.error && <Problem error={by.error} />}
        </Dialog>
      )}
    </>
  );
}
