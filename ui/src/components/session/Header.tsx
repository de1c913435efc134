/** What call this is, and what can be done with it. */
import { Link, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useDeleteSession, useEndCall } from "../../api/queries";
import type { SessionDetail, SessionSummary } from "../../api/types";
import { clock, cost, count, plural } from "../../lib/format";
import { useIsAdmin } from "../../lib/me";
import type { Player } from "../../lib/player";
import { costOf, isRequest } from "../../lib/requests";
import { sessionTitle, unrecordedText } from "../../lib/trace";
import { usePlayerTime } from "../../lib/use-player";
import { Button } from "../Button";
import { CopyButton } from "../Copy";
import { Delete } from "../Delete";
import { Dialog } from "../Dialog";
import { correctionOf, SaveAsCase } from "../datasets/SaveAsCase";
import { Icon } from "../Icon";
import { Menu } from "../Menu";
import { Moment } from "../Moment";
import { Problem } from "../Problem";
import { Status } from "../Status";

const TRACKS: [track: string, label: string][] = [
  ["mix", "Whole call, stereo"],
  ["user", "User"],
  ["heard", "Assistant, as heard"],
  ["assistant", "Assistant, as generated"],
];
const FORMATS = ["wav", "ogg", "flac"] as const;

function Downloads({ session }: { session: SessionDetail }) {
  const { id } = session;
  const base = `/api/sessions/${encodeURIComponent(id)}`;
  const sound = session.recorded?.audio === false ? [] : TRACKS.filter(([track]) => track in session.tracks);
  return (
    <Menu
      label={
        <>
          <Icon name="download" /> Download
        </>
      }
      name="Download"
      testId="downloads"
    >
      {sound.map(([track, label]) => (
        <div className="download" key={track}>
          <span>{label}</span>
          {FORMATS.map((format) => (
            <a
              key={format}
              role="menuitem"
              tabIndex={-1}
              href={`${base}/audio?track=${track}&format=${format}&download=1`}
              download={`${id}-${track}.${format}`}
              aria-label={`${label}, ${format.toUpperCase()}`}
            >
              {format.toUpperCase()}
            </a>
          ))}
        </div>
      ))}
      <div className="download">
        <span>Event log</span>
        <a role="menuitem" tabIndex={-1} href={`${base}/events`} download={`${id}.jsonl`}>
          JSONL
        </a>
      </div>
      <div className="download">
        <span>Trace with metrics and scores</span>
        <a role="menuitem" tabIndex={-1} href={base} download={`${id}.json`}>
          JSON
        </a>
      </div>
    </Menu>
  );
}

function EndCall({ id }: { id: string }) {
  const [asking, setAsking] = useState(false);
  const end = useEndCall(id);
  return (
    <>
      <Button
        kind="danger"
        icon="stop"
        disabled={end.isPending}
        data-testid="end-call"
        onClick={() => setAsking(true)}
      >
        {end.isPending || end.isSuccess ? "Ending…" : "End call"}
      </Button>
      {asking && (
        <Dialog
          title="End this call?"
          onClose={() => setAsking(false)}
          actions={
            <>
              <Button onClick={() => setAsking(false)}>Let it go on</Button>
              <Button
                kind="danger"
                data-testid="confirm-end"
                onClick={() => end.mutate(undefined, { onSettled: () => setAsking(false) })}
              >
                End it
              </Button>
            </>
          }
        >
          <p className="muted">Both sides are disconnected at once. What was recorded stays.</p>
        </Dialog>
      )}
      {end.error && <Problem error={end.error} />}
    </>
  );
}

function DeleteSession({ session }: { session: SessionDetail }) {
  const navigate = useNavigate();
  const remove = useDeleteSession(session.id);
  return (
    <Delete
      label="Delete this session"
      name={sessionTitle(session)}
      by={remove}
      onDeleted={() => void navigate({ to: "/" })}
    >
      Its trace, sound, event log and scores are removed.
    </Delete>
  );
}

function Pills({ session }: { session: SessionDetail }) {
  const user = session.metadata?.user_id ?? session.metadata?.user;
  const pills: [label: string, value: unknown, tone?: string][] = [
    ["project", session.project],
    ["user", user],
    ["model", session.model],
    ["provider", session.provider],
    ["interruptions", session.interruptions || null, "warn"],
    ["cost", session.cost_usd ? cost(session.cost_usd) : null],
  ];
  // The rest stands in the panel of a request.
  const shown = isRequest(session) ? pills.slice(0, 2) : pills;
  return (
    <>
      {shown.map(([label, value, tone]) =>
        value ? (
          <span className="pill" key={label}>
            {label} <strong className={tone ?? ""}>{String(value)}</strong>
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

/** What it works for, and what works for it. */
function Joined({ session, requests }: { session: SessionDetail; requests: SessionSummary[] }) {
  const { parent } = session;
  const spent = costOf(requests);
  return (
    <>
      {parent?.found && (
        <Link
          to="/sessions/$id"
          params={{ id: parent.session_id }}
          className="pill joined"
          data-testid="parent"
          title={`${parent.session_id}${parent.ref ? `, ${parent.ref}` : ""}`}
        >
          <Icon name="phone" /> works for a call
        </Link>
      )}
      {parent && !parent.found && (
        <span
          className="pill warn"
          data-testid="parent-missing"
          title="There is no such session in this project, or not any more"
        >
          works for {parent.session_id}, which is not found
        </span>
      )}
      {requests.length > 0 && (
        <span
          className="pill"
          data-testid="requests"
          title="They work for this session; their cost is not in its own"
        >
          {plural(requests.length, "request")}
          {spent === null ? "" : " "}
          {spent !== null && <strong>{cost(spent)}</strong>}
        </span>
      )}
    </>
  );
}

function Notes({ session }: { session: SessionDetail }) {
  return (
    <>
      {session.lost && (
        <span className="pill warn" title="The disk took nothing for too long; see the marks gateway.lost">
          recording incomplete: {count(session.lost.bytes)} bytes, {plural(session.lost.records, "record")}{" "}
          lost
        </span>
      )}
      {unrecordedText(session) && (
        <span className="pill" data-testid="unrecorded" title="The credential of this call said so">
          {unrecordedText(session)}
        </span>
      )}
      {session.delete_after && (
        <span className="pill" data-testid="kept-until" title="Then the recording is deleted">
          kept until <strong>{session.delete_after.slice(0, 10)}</strong>
        </span>
      )}
    </>
  );
}

/** `?t=` of the place, in tenths of a second; nothing at the beginning. */
function linkTo(session: SessionDetail, ms: number): string {
  const tenths = Math.floor(ms / 100);
  return `${window.location.origin}/sessions/${session.id}${tenths > 0 ? `?t=${tenths / 10}` : ""}`;
}

function CopyLink({ session, player }: { session: SessionDetail; player: Player }) {
  const at = usePlayerTime(player, (ms) => (ms >= 100 ? clock(ms) : ""));
  return (
    <CopyButton text={() => linkTo(session, player.timeMs)} label={at ? `Copy link to ${at}` : "Copy link"} />
  );
}

interface HeaderProps {
  session: SessionDetail;
  player: Player;
  requests: SessionSummary[];
}

export function Header({ session, player, requests }: HeaderProps) {
  const live = session.status === "live";
  const mayChange = useIsAdmin();
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
        {isRequest(session) ? (
          <CopyButton text={() => linkTo(session, 0)} label="Copy link" />
        ) : (
          <CopyLink session={session} player={player} />
        )}
        <Downloads session={session} />
        {!live && (
          <SaveAsCase
            id={session.id}
            project={session.project}
            corrected={correctionOf(session, undefined)}
          />
        )}
        {mayChange && (live ? <EndCall id={session.id} /> : <DeleteSession session={session} />)}
      </div>
      <div className="pills">
        <Notes session={session} />
        <Pills session={session} />
        <Joined session={session} requests={requests} />
      </div>
    </header>
  );
}
