/** API keys: made, shown once, given a new text, revoked. For admins. */
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { keysQuery, useRevokeKey, useRotateKey } from "../api/management";
import type { Key } from "../api/schema";
import { Button } from "../components/Button";
import { Dialog } from "../components/Dialog";
import { EmptyState } from "../components/EmptyState";
import { Moment } from "../components/Moment";
import { NewKeyDialog } from "../components/manage/NewKey";
import { RevokeDialog } from "../components/manage/RevokeDialog";
import { SecretOnce } from "../components/manage/SecretOnce";
import { Problem } from "../components/Problem";
import { ScrollX } from "../components/ScrollX";
import { Skeleton } from "../components/Skeleton";
import { TableHead } from "../components/TableHead";
import { exact, moment } from "../lib/format";
import { limitsText } from "../lib/key-form";
import { usePageTitle } from "../lib/page-title";
import { toast } from "../lib/toasts";
import "../styles/manage.css";

const HEADINGS = ["Name", "Role", "Project", "Key", "Limits per minute", "Made", "Last used", "Ends", ""];
const DAY_SECONDS = 86_400;

function Ends({ at }: { at: string | null }) {
  const date = moment(at);
  if (!date) return <span className="muted">never</span>;
  const over = date.getTime() <= Date.now();
  return (
    <time dateTime={date.toISOString()} title={exact(date)} className={over ? "bad" : ""}>
      {over ? "ended" : date.toLocaleDateString()}
    </time>
  );
}

function RotateDialog({ row, onClose }: { row: Key; onClose: () => void }) {
  const rotate = useRotateKey();
  const [now, setNow] = useState(false);
  if (rotate.data) {
    return (
      <Dialog
        title={`The new text of “${row.name}”`}
        onClose={onClose}
        wide
        actions={<Button onClick={onClose}>Done</Button>}
      >
        <SecretOnce text={rotate.data.key}>
          Keep it now: Voxgate has only its hash and cannot show it again.
        </SecretOnce>
      </Dialog>
    );
  }
  return (
    <Dialog
      title={`A new text for “${row.name}”?`}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button
            kind="primary"
            disabled={rotate.isPending}
            onClick={() => rotate.mutate({ id: row.id, graceSeconds: now ? 0 : DAY_SECONDS })}
          >
            Rotate
          </Button>
        </>
      }
    >
      <p>
        Name, role and project stay. The text before is good for a day more, so that it can be replaced
        everywhere.
      </p>
      <label className="check">
        <input type="checkbox" checked={now} onChange={(event) => setNow(event.target.checked)} />
        <span>It was stolen: the text before ends now</span>
      </label>
      {rotate.error && (
        <p className="bad" role="alert">
          {rotate.error.message}
        </p>
      )}
    </Dialog>
  );
}

function KeyRow({ row, onRotate, onRevoke }: { row: Key; onRotate: () => void; onRevoke: () => void }) {
  return (
    <tr data-testid="key-row">
      <td>
        <strong>{row.name}</strong>
      </td>
      <td data-label="Role">{row.role}</td>
      <td data-label="Project">{row.project ?? <span className="muted">all</span>}</td>
      <td data-label="Key">
        <code title={row.id}>{row.key_hint}</code>
        {row.old_secret_until && <small className="warn"> rotated: the text before is still good</small>}
      </td>
      <td data-label="Limits per minute">
        {limitsText(row) || <span className="muted">none of its own</span>}
      </td>
      <td data-label="Made" className="nowrap">
        <Moment at={row.created_at} />
      </td>
      <td data-label="Last used" className="nowrap">
        {row.last_used_at ? <Moment at={row.last_used_at} /> : <span className="muted">never</span>}
      </td>
      <td data-label="Ends" className="nowrap">
        <Ends at={row.expires_at} />
      </td>
      <td className="row-actions">
        <Button kind="quiet" aria-label={`Rotate ${row.name}`} onClick={onRotate}>
          Rotate
        </Button>
        <Button aria-label={`Revoke ${row.name}`} data-testid="revoke" onClick={onRevoke}>
          Revoke
        </Button>
      </td>
    </tr>
  );
}

type Asked = { what: "rotate" | "revoke"; row: Key } | { what: "new" } | null;

function Table({ rows, ask }: { rows: readonly Key[]; ask: (asked: Asked) => void }) {
  return (
    <ScrollX name="API keys, scrolling" panel>
      <table className="table manage cards" aria-label="API keys">
        <TableHead headings={HEADINGS} />
        <tbody>
          {rows.map((row) => (
            <KeyRow
              key={row.id}
              row={row}
              onRotate={() => ask({ what: "rotate", row })}
              onRevoke={() => ask({ what: "revoke", row })}
            />
          ))}
        </tbody>
      </table>
    </ScrollX>
  );
}

export function KeysPage() {
  usePageTitle("API keys");
  const list = useQuery(keysQuery);
  const revoke = useRevokeKey();
  const [asked, setAsked] = useState<Asked>(null);
  const close = () => setAsked(null);
  return (
    <main id="main" className="page stack">
      <div className="page-head">
        <h1>API keys</h1>
        <span className="muted">Long-lived, for backends, operators and scripts</span>
        <span className="grow" />
        <Button kind="primary" icon="plus" data-testid="new-key" onClick={() => setAsked({ what: "new" })}>
          New key
        </Button>
      </div>
      {list.error && <Problem error={list.error} retry={() => void list.refetch()} />}
      {list.isPending && <Skeleton name="API keys" lines={4} height={28} />}
      {list.data?.items.length === 0 && (
        <EmptyState
          title="Only the admin key"
          command="voxgate keys create my-site --role mint --project shop"
        >
          It is in no list. Give each backend and each person a key of their own, with no more rights than
          they need: then one that is lost can be taken away alone.
        </EmptyState>
      )}
      {list.data && list.data.items.length > 0 && <Table rows={list.data.items} ask={setAsked} />}
      {asked?.what === "new" && <NewKeyDialog onClose={close} />}
      {asked?.what === "rotate" && <RotateDialog row={asked.row} onClose={close} />}
      {asked?.what === "revoke" && (
        <RevokeDialog
          id={asked.row.id}
          name={`“${asked.row.name}”`}
          ofKey
          pending={revoke.isPending}
          error={revoke.error}
          onClose={close}
          onRevoke={(wanted) =>
            revoke.mutate(wanted, {
              onSuccess: () => {
                close();
                toast(`The key “${asked.row.name}” is revoked`);
              },
            })
          }
        />
      )}
    </main>
  );
}
