/** The way from a call to its recording: the session is looked for by the credential that the call used. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { findByCredential } from "../../api/queries";
import { useMe } from "../../lib/me";
import type { CallSnapshot } from "../../realtime/call";
import { SaveAsCase } from "../datasets/SaveAsCase";

const LOOK_EVERY_MS = 700;

export function Recording({ snapshot, suffix }: { snapshot: CallSnapshot; suffix: string }) {
  const mayRead = ["admin", "read"].includes(useMe()?.role ?? "");
  const id = snapshot.credentialId;
  const ended = snapshot.phase === "ended";
  const begun = snapshot.startedAt !== null;
  const found = useQuery({
    queryKey: ["by-credential", id],
    queryFn: async () => (id ? ((await findByCredential(id)).items[0] ?? null) : null),
    enabled: begun && id !== null && mayRead,
    // After its end until it is over for the server too: then it can be made a case.
    refetchInterval: (query) =>
      !query.state.data || (ended && query.state.data.status === "live") ? LOOK_EVERY_MS : false,
  });
  if (!begun) return null;
  if (!mayRead) return <span className="muted">recorded; your key may not read it</span>;
  if (!found.data) {
    return (
      <span className="muted">
        {found.error ? found.error.message : "The recording shows up in a moment…"}
      </span>
    );
  }
  const link = (
    <Link
      to="/sessions/$id"
      params={{ id: found.data.id }}
      className={`button ${ended ? "primary" : ""}`}
      data-testid={`session-link${suffix}`}
      {...(ended ? {} : { target: "_blank" })}
    >
      {ended ? "Open the recording" : "Watch it live (new tab)"}
    </Link>
  );
  return (
    <>
      {link}
      {ended && found.data.status !== "live" && (
        <SaveAsCase id={found.data.id} project={found.data.project} />
      )}
    </>
  );
}
