/** What call this is, and what can be done with it. */
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useRef } from "react";
import { meQuery, useDeleteSession, useEndCall } from "../../api/queries";
import type { SessionDetail } from "../../api/types";
import { count } from "../../lib/format";
import { sessionTitle, unrecordedText } from "../../lib/trace";
import { CopyButton } from "../Copy";
import { Icon } from "../Icon";
import { Moment } from "../Moment";
import { Problem } from "../Problem";
import { Status } from "../Status";

const TRACKS: [track: string, label: string][] = [
  ["mix", "Whole call, stereo"],
  ["user", "User"],
  ["heard", "Assistant, as heard"],
  ["assistant", "Assistant, as generated"],
];

function Downloads({ session }: { session: SessionDetail }) {
  const { id } = session;
  const tracks = session.recorded?.audio === false ? [] : TRACKS;
  const base = `/api/sessions/${encodeURIComponent(id)}`;
  const menu = useRef<HTMLDetailsElement>(null);
  const close = () => menu.current?.removeAttribute("open");
  return (
    <details
      className="menu"
      ref={menu}
      onBlur={(event) => !event.currentTarget.contains(event.relatedTarget) && close()}
      onKeyDown={(event) => event.key === "Escape" && close()}
    >
      <summary className="button" data-testid="downloads">
        <Icon name="download" /> Download
      </summary>
      <ul className="panel">
        {tracks.map(([track, label]) => (
          <li key={track}>
            <a href={`${base}/audio?track=${track}&format=wav`} download={`${id}-${track}.wav`}>
              {label} <span className="muted">WAV</span>
            </a>
          </li>
        ))}
        <li>
          <a href={`${base}/events`} download={`${id}.jsonl`}>
            Event log <span className="muted">JSON lines</span>
          </a>
        </li>
        <li>
          <a href={base} download={`${id}.json`}>
            Trace <span className="muted">JSON</span>
          </a>
        </li>
      </ul>
    </details>
  );
}

function EndCall({ id }: { id: string }) {
  const end = useEndCall(id);
  return (
    <>
      <button
        type="button"
        className="button danger"
        disabled={end.isPending}
        data-testid="end-call"
        onClick={() => end.mutate()}
      >
        <Icon name="stop" /> {end.isPending ? "Ending…" : "End call"}
      </button>
      {end.error && <Problem error={end.error} />}
    </>
  );
}

function Delete({ session }: { session: SessionDetail }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const navigate = useNavigate();
  const remove = useDeleteSession(session.id);
  const confirm = () => remove.mutate(undefined, { onSuccess: () => void navigate({ to: "/" }) });
  return (
    <>
      <button
        type="button"
        className="button icon danger"
        aria-label="Delete this session"
        title="Delete this session"
        data-testid="delete"
        onClick={() => dialog.current?.showModal()}
      >
        <Icon name="trash" />
      </button>
      <dialog ref={dialog} aria-labelledby="delete-title">
        <h2 id="delete-title">Delete “{sessionTitle(session)}”?</h2>
        <p className="muted">Its trace, sound and event log are removed. This cannot be undone.</p>
        {remove.error && <Problem error={remove.error} />}
        <div className="dialog-actions">
          <button type="button" className="button" onClick={() => dialog.current?.close()}>
            Keep it
          </button>
          <button
            type="button"
            className="button danger"
            data-testid="confirm-delete"
            disabled={remove.isPending}
            onClick={confirm}
          >
            Delete
          </button>
        </div>
      </dialog>
    </>
  );
}

function Pills({ session }: { session: SessionDetail }) {
  const user = session.metadata?.user_id ?? session.metadata?.user;
  const pills: [label: string, value: unknown][] = [
    ["project", session.project],
    ["model", session.model],
    ["provider", session.provider],
    ["user", user],
  ];
  return (
    <>
      {pills.map(([label, value]) =>
        value ? (
          <span className="pill" key={label}>
            {label} <strong>{String(value)}</strong>
          </span>
        ) : null,
      )}
      {session.tags?.map((tag) => (
        <span className="pill" key={tag}>
          {tag}
        </span>
      ))}
    </>
  );
}

export function Header({ session, linkToTime }: { session: SessionDetail; linkToTime: () => string }) {
  const live = session.status === "live";
  const mayChange = useQuery(meQuery).data?.role === "admin";
  return (
    <header className="session-head">
      <div className="session-title">
        <nav aria-label="Breadcrumb" className="muted hide-small">
          <Link to="/">Sessions</Link> /
        </nav>
        <h1 title={session.id}>{sessionTitle(session)}</h1>
        <Status status={session.status} />
        <span className="muted nowrap">
          <Moment at={session.started_at} />
        </span>
      </div>
      <div className="actions">
        <CopyButton text={linkToTime} label="Copy link" />
        <Downloads session={session} />
        {mayChange && (live ? <EndCall id={session.id} /> : <Delete session={session} />)}
      </div>
      <div className="pills">
        {session.lost && (
          <span className="pill warn" title="The disk took nothing for too long; see the marks gateway.lost">
            recording incomplete: {count(session.lost.bytes)} bytes lost
          </span>
        )}
        {unrecordedText(session) && (
          <span className="pill" data-testid="unrecorded" title="The credential of this call said so">
            {unrecordedText(session)}
          </span>
        )}
        <Pills session={session} />
        {session.delete_after && (
          <span className="pill" data-testid="kept-until" title="Then the recording is deleted">
            kept until <strong>{session.delete_after.slice(0, 10)}</strong>
          </span>
        )}
      </div>
    </header>
  );
}
