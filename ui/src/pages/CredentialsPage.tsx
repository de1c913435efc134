/** Temporary credentials: made, listed with what they have used, revoked. */
import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { credentialsQuery, useRevokeCredential } from "../api/management";
import { Button } from "../components/Button";
import { EmptyState } from "../components/EmptyState";
import { CredentialForm } from "../components/manage/CredentialForm";
import { CredentialRow } from "../components/manage/CredentialRow";
import { RevokeDialog } from "../components/manage/RevokeDialog";
import { Problem } from "../components/Problem";
import { ScrollX } from "../components/ScrollX";
import { Skeleton } from "../components/Skeleton";
import { TableHead } from "../components/TableHead";
import { useMe } from "../lib/me";
import { usePageTitle } from "../lib/page-title";
import { toast } from "../lib/toasts";
import "../styles/manage.css";

const HEADINGS = ["State", "Credential", "Models", "Project", "Used", "Made", "May start until", ""];

function Table({ mayMint, mayRead }: { mayMint: boolean; mayRead: boolean }) {
  const list = useInfiniteQuery(credentialsQuery);
  const revoke = useRevokeCredential();
  const [revoking, setRevoking] = useState<string | null>(null);
  if (list.error) return <Problem error={list.error} retry={() => void list.refetch()} />;
  if (!list.data) return <Skeleton name="Credentials" lines={6} height={28} />;
  const rows = list.data.pages.flatMap((page) => page.items);
  if (rows.length === 0) {
    return (
      <EmptyState
        title="No credentials yet"
        command={`curl ${window.location.origin}/v1/credentials -H "Authorization: Bearer $VOXGATE_API_KEY" \\\n  -H "Content-Type: application/json" -d '{"model": "local", "ttl_seconds": 60}'`}
      >
        A temporary credential is a key for a browser: short-lived, and limited to what you say. Your backend
        makes one for each call, like this, and hands it to the page.
      </EmptyState>
    );
  }
  return (
    <>
      <ScrollX name="Credentials, scrolling" panel>
        <table className="table manage cards" aria-label="Credentials">
          <TableHead headings={HEADINGS} />
          <tbody>
            {rows.map((row) => (
              <CredentialRow
                key={row.id}
                row={row}
                mayRevoke={mayMint}
                mayRead={mayRead}
                onRevoke={() => setRevoking(row.id)}
              />
            ))}
          </tbody>
        </table>
      </ScrollX>
      {list.hasNextPage && (
        <Button disabled={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
          Show older ones
        </Button>
      )}
      {revoking && (
        <RevokeDialog
          id={revoking}
          name={revoking}
          pending={revoke.isPending}
          error={revoke.error}
          onClose={() => setRevoking(null)}
          onRevoke={(wanted) =>
            revoke.mutate(wanted, {
              onSuccess: () => {
                setRevoking(null);
                toast(`${wanted.id} is revoked`);
              },
            })
          }
        />
      )}
    </>
  );
}

export function CredentialsPage() {
  usePageTitle("Credentials");
  const role = useMe()?.role;
  const mayMint = role === "admin" || role === "mint";
  const [making, setMaking] = useState(false);
  return (
    <main id="main" className="page stack">
      <div className="page-head">
        <h1>Temporary credentials</h1>
        <span className="muted">Keys for browsers: short-lived, and limited to what you say</span>
        <span className="grow" />
        {mayMint && !making && (
          <Button kind="primary" icon="plus" data-testid="new-credential" onClick={() => setMaking(true)}>
            New credential
          </Button>
        )}
      </div>
      {making && <CredentialForm onClose={() => setMaking(false)} />}
      <Table mayMint={mayMint} mayRead={role === "admin" || role === "read"} />
    </main>
  );
}
