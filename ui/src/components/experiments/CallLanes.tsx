/** The call of a result on one clock: its lanes about the turn that is scored, with the evidence of its scores. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type ReactNode, useEffect, useMemo, useRef, useState } from "react";
import { ApiError } from "../../api/client";
import { sessionQuery } from "../../api/queries";
import type { Result } from "../../api/schema";
import type { Score, SessionDetail } from "../../api/types";
import { callMarks } from "../../lib/call-marks";
import { useCallPeaks } from "../../lib/call-peaks";
import { clock } from "../../lib/format";
import type { Player } from "../../lib/player";
import { normalised, sessionLength, soundState, spanEnd } from "../../lib/trace";
import { usePlayer, usePlayerState, usePlayerTime } from "../../lib/use-player";
import { ViewState } from "../../lib/view";
import { Icon } from "../Icon";
import { Problem } from "../Problem";
import { Skeleton } from "../Skeleton";
import { Timeline } from "../session/Timeline";

/** What can be done with a call from outside: both are switched by ear. */
export interface Heard {
  player: Player;
  /** Where what is compared begins. */
  startMs: number;
}

interface Props {
  sessionId: string;
  turnSpanId: string | null | undefined;
  scores: Result["scores"];
  name: string;
  onReady: (heard: Heard | null) => void;
}

/** A score of a result as one of the session, for the lanes. */
function shownScore(score: NonNullable<Result["scores"]>[number], at: number): Score {
  const { name, value, label, evidence, span_id, source } = score;
  return {
    id: `${name}-${at}`,
    name,
    value,
    label: label ?? null,
    comment: score.explanation ?? null,
    evidence: evidence ?? [],
    span_id: span_id ?? null,
    source: source ?? "code",
    details: {},
    author: "",
    created_at: "",
  } as unknown as Score;
}

const nothing = () => {};

export function CallLanes(props: Props) {
  const query = useQuery({ ...sessionQuery(props.sessionId), retry: false });
  if (query.error) {
    const gone = query.error instanceof ApiError && query.error.status === 404;
    return gone ? (
      <p className="muted padded">
        The call of “{props.name}” is not there any more: it was deleted, or its time was over.
      </p>
    ) : (
      <Problem error={query.error} retry={() => void query.refetch()} />
    );
  }
  if (!query.data) return <Skeleton name={props.name} height={180} />;
  return <Lanes {...props} session={normalised(query.data)} />;
}

function Lanes({ session, turnSpanId, scores, name, onReady }: Props & { session: SessionDetail }) {
  const ready = soundState(session) === "ready";
  const base = `/api/sessions/${encodeURIComponent(session.id)}`;
  const player = usePlayer(ready ? `${base}/audio?track=mix&format=wav` : null);
  const { peaks, revision } = useCallPeaks(session.id, ready ? "ready" : "none");
  const lengthMs = sessionLength(session);
  const turn = session.spans.find((span) => span.id === turnSpanId);
  const [view] = useState(() => {
    const made = new ViewState(lengthMs);
    if (turn) made.showStretch(turn.start_ms, spanEnd(turn, lengthMs));
    return made;
  });
  const marks = useMemo(
    () => callMarks({ ...session, scores: (scores ?? []).map(shownScore) }, lengthMs),
    [session, scores, lengthMs],
  );
  const startMs = turn?.start_ms ?? 0;
  const tell = useRef(onReady);
  tell.current = onReady;
  useEffect(() => {
    if (!player) return;
    player.seek(startMs);
    tell.current({ player, startMs });
    return () => tell.current(null);
  }, [player, startMs]);
  if (!player) return <Skeleton name={name} height={180} />;
  return (
    <div className="call-lanes" data-testid={`lanes-${name}`}>
      <div className="row">
        {ready ? <PlayButton player={player} name={name} /> : <span className="muted">no sound</span>}
        <strong>{name}</strong>
        <Place player={player} />
        <span className="grow" />
        <Link
          to="/sessions/$id"
          params={{ id: session.id }}
          search={startMs > 0 ? { t: Math.floor(startMs / 100) / 10 } : {}}
        >
          Open the call
        </Link>
      </div>
      <Timeline
        name={`${name}, over time`}
        clock={player}
        view={view}
        lengthMs={lengthMs}
        peaks={peaks}
        revision={revision}
        marks={marks}
        speech={NO_SPEECH}
        loop={null}
        onLoop={nothing}
        onChoose={(block) => player.seek(block.fromMs)}
      />
    </div>
  );
}

const NO_SPEECH = { user: [], assistant: [] };

function Place({ player }: { player: Player }): ReactNode {
  return <span className="muted figure">{usePlayerTime(player, (ms) => clock(ms))}</span>;
}

function PlayButton({ player, name }: { player: Player; name: string }) {
  const { playing } = usePlayerState(player);
  const label = `${playing ? "Pause" : "Play"} ${name}`;
  return (
    <button
      type="button"
      className="button icon"
      aria-label={label}
      title={label}
      data-testid={`play-${name}`}
      onClick={() => player.toggle()}
    >
      <Icon name={playing ? "pause" : "play"} />
    </button>
  );
}
