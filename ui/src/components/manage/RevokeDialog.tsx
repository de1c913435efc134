/** Asks before a key or a credential is revoked, and what is to go with it. */
import { useState } from "react";
import type { Revoking } from "../../api/management";
import { Button } from "../Button";
import { Dialog } from "../Dialog";

interface Props {
  id: string;
  name: string;
  /** An API key may take the credentials along that it has made. */
  ofKey?: boolean;
  pending: boolean;
  error: Error | null;
  onRevoke: (revoking: Revoking) => void;
  onClose: () => void;
}

export function RevokeDialog({ id, name, ofKey = false, pending, error, onRevoke, onClose }: Props) {
  const [endSessions, setEndSessions] = useState(false);
  const [credentials, setCredentials] = useState(false);
  return (
    <Dialog
      title={`Revoke ${name}?`}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button
            kind="danger"
            data-testid="confirm-revoke"
            disabled={pending}
            onClick={() => onRevoke({ id, endSessions, credentials })}
          >
            {pending ? "Revoking…" : "Revoke"}
          </Button>
        </>
      }
    >
      <p>It starts no call any more, in any worker, a second later at most. This cannot be undone.</p>
      {ofKey && (
        <label className="check">
          <input
            type="checkbox"
            checked={credentials}
            onChange={(event) => setCredentials(event.target.checked)}
          />
          <span>Also the temporary credentials that it has made</span>
        </label>
      )}
      <label className="check">
        <input
          type="checkbox"
          data-testid="end-sessions"
          checked={endSessions}
          onChange={(event) => setEndSessions(event.target.checked)}
        />
        <span>Also end the calls that run</span>
      </label>
      {error && (
        <p className="bad" role="alert">
          {error.message}
        </p>
      )}
    </Dialog>
  );
}
