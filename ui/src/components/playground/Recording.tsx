/** The way from a call to its recording: the session is looked for by the credential that the call used. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { findByCredential } from "../../api/queries";
import type { CallSnapshot } from "../../realtime/call";

const LOOK_EVERY_MS = 700;

export function Recording({ snapshot }: { snapshot: CallSnapshot }) {
  const id = snapshot.credentialId;
  const begun = snapshot.startedAt !== null;
  const found = useQuery({
    queryKey: ["by-credential", id],
    queryFn: async () => (id ? ((await findByCredential(id)).items[0] ?? null) : null),
    enabled: begun && id !== null,
    refetchInterval: (query) => (query.state.data ? false : LOOK_EVERY_MS),
  });
  if (!begun) return null;
  if (!found.data) {
    return (
      <span className="muted">
        {found.error ? found.error.message : "The recording shows up in a moment…"}
      </span>
    );
  }
  return (
    <Link
      to="/sessions/$id"
      params={{ id: found.data.id }}
      className={`button ${snapshot.phase === "ended" ? "primary" : ""}`}
      data-testid="session-link"
      {...(snapshot.phase === "ended" ? {} : { target: "_blank" })}
    >
      {snapshot.phase === "ended" ? "Open the recording" : "Watch it live (new tab)"}
    </Link>
  );
}
