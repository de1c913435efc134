/** One call: seen, heard, read and measured, while it runs and afterwards. */
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useEffect, useMemo, useRef, useState } from "react";
import type { SessionDetail, Span } from "../api/types";
import { correctionOf, SaveAsCase, turnOf } from "../components/datasets/SaveAsCase";
import { Problem } from "../components/Problem";
import { CallPanel } from "../components/session/CallPanel";
import { Config, RequestConfig } from "../components/session/Config";
import { Conversation } from "../components/session/Conversation";
import { Earlier } from "../components/session/Earlier";
import { Events } from "../components/session/Events";
import { Header } from "../components/session/Header";
import { Metrics } from "../components/session/Metrics";
import { RequestPanel } from "../components/session/RequestPanel";
import { useRequests } from "../components/session/Requests";
import { Review } from "../components/session/Review";
import { SpanDetail, SpanTree } from "../components/session/SpanTree";
import { Usage } from "../components/session/Usage";
import { Waits } from "../components/session/Waits";
import { Tabs } from "../components/Tabs";
import { count } from "../lib/format";
import { useLiveSession } from "../lib/live-session";
import { usePageTitle } from "../lib/page-title";
import type { Player } from "../lib/player";
import {
  earlier,
  errorsOf,
  isRequest,
  type RequestSpan,
  requestSpans,
  requestsBySpan,
} from "../lib/requests";
import { sessionLength, sessionTitle, soundOf, soundState } from "../lib/trace";
import { usePlayer } from "../lib/use-player";
import type { SessionTab } from "../router";
import "../styles/session.css";
import "../styles/timeline.css";
import "../styles/session-parts.css";
import "../styles/review.css";
import "../styles/requests.css";

function Skeleton() {
  return (
    <main id="main" className="page stack" aria-busy="true" aria-label="The session is loading">
      <span className="skeleton" style={{ height: 32 }} />
      <span className="skeleton" style={{ height: 420 }} />
      <span className="skeleton" style={{ height: 320 }} />
    </main>
  );
}

export function SessionPage() {
  const { id } = useParams({ from: "/sessions/$id" });
  const query = useLiveSession(id);
  const ready = query.data !== undefined && soundState(query.data) === "ready";
  const player = usePlayer(
    ready ? `/api/sessions/${encodeURIComponent(id)}/audio?track=mix&format=wav` : null,
  );
  usePageTitle(query.data ? sessionTitle(query.data) : "Session");
  if (query.error && !query.data) {
    return (
      <main id="main" className="page">
        <Problem error={query.error} retry={() => void query.refetch()} />
      </main>
    );
  }
  if (!query.data || !player) return <Skeleton />;
  return <Session key={id} session={query.data} player={player} />;
}

/** The place that the address names is sought once, by the player that stays. */
function useStartAt(player: Player, session: SessionDetail): void {
  const { t } = useSearch({ from: "/sessions/$id" });
  const start = useRef(t);
  const stays = player.url !== null || soundState(session) !== "ready";
  useEffect(() => {
    if (start.current !== undefined) player.seek(start.current * 1000);
    if (stays) start.current = undefined;
  }, [player, stays]);
}

function tabsOf(session: SessionDetail): { id: SessionTab; label: string }[] {
  const events = session.events_count === null ? "" : ` ${count(session.events_count)}`;
  const scores = session.scores.length > 0 ? ` ${session.scores.length}` : "";
  return [
    { id: "conversation", label: "Conversation" },
    { id: "config", label: "Config" },
    { id: "usage", label: "Usage and cost" },
    { id: "metrics", label: "Metrics" },
    { id: "events", label: `Raw events${events}` },
    { id: "scores", label: `Scores${scores}` },
  ];
}

function useTab(): [SessionTab, (tab: SessionTab) => void] {
  const { tab = "conversation" } = useSearch({ from: "/sessions/$id" });
  const navigate = useNavigate({ from: "/sessions/$id" });
  const open = (next: SessionTab) =>
    void navigate({
      search: (before) => {
        const { tab: _, ...others } = before;
        return next === "conversation" ? others : { ...others, tab: next };
      },
      replace: true,
      resetScroll: false,
    });
  return [tab, open];
}

function Session({ session, player }: { session: SessionDetail; player: Player }) {
  const [tab, openTab] = useTab();
  const live = session.status === "live";
  const lengthMs = sessionLength(session);
  const request = isRequest(session);
  const requests = useRequests(session);
  const under = useMemo(() => requestSpans(session, requests), [session, requests]);
  const [selected, setSelected] = useState<string | null>(null);
  useStartAt(player, session);
  const choose = useMemo(
    () => (span: Span) => {
      setSelected(span.id);
      player.seek(soundOf(span).startMs);
    },
    [player],
  );
  const seek = (ms: number) => player.seek(ms);
  const views = {
    session,
    player,
    lengthMs,
    under,
    selected: [...session.spans, ...under].find((one) => one.id === selected) ?? null,
    choose,
    clear: () => setSelected(null),
  };
  return (
    <main id="main" className="page stack session-page">
      <Header session={session} player={player} requests={requests} />
      {request ? (
        <RequestPanel session={session} />
      ) : (
        <CallPanel session={session} player={player} lengthMs={lengthMs} onChoose={choose} />
      )}
      <Tabs tabs={tabsOf(session)} selected={tab} onSelect={openTab} label="Views of the session" />
      {tab === "conversation" && <ConversationView {...views} />}
      {tab === "config" && request && <RequestConfig session={session} />}
      {tab === "config" && !request && <Config session={session} onSeek={seek} />}
      {tab === "usage" && <Usage session={session} onSelect={choose} />}
      {tab === "metrics" && <Metrics session={session} />}
      {tab === "events" && <Events id={session.id} live={live} onSeek={seek} />}
      {tab === "scores" && <ScoresView {...views} />}
    </main>
  );
}

interface ViewsProps {
  session: SessionDetail;
  player: Player;
  lengthMs: number;
  /** The requests that work for the call. */
  under: RequestSpan[];
  selected: Span | null;
  choose: (span: Span) => void;
  clear: () => void;
}

function Said({ session, player, under, selected, choose }: ViewsProps) {
  const requests = useMemo(() => requestsBySpan(under), [under]);
  const errors = useMemo(() => errorsOf(session), [session]);
  return (
    <section className="panel" aria-label="Conversation">
      {isRequest(session) && <Earlier said={earlier(session)} />}
      <Conversation
        sessionId={session.id}
        player={player}
        spans={session.spans}
        errors={errors}
        live={session.status === "live"}
        worded={session.recorded?.text !== false}
        selected={selected?.id ?? null}
        onSelect={choose}
        requests={requests}
      />
    </section>
  );
}

function SaveTurn({ session, span }: { session: SessionDetail; span: Span }) {
  const turn = turnOf(session.spans, span);
  if (!turn || session.status === "live") return null;
  return (
    <SaveAsCase
      id={session.id}
      project={session.project}
      turn={turn.id}
      corrected={correctionOf(session, turn)}
      label="Save the turn as a case"
    />
  );
}

function ConversationView(props: ViewsProps) {
  const { session, lengthMs, under, selected, choose, clear } = props;
  const spans = useMemo(() => [...session.spans, ...under], [session.spans, under]);
  return (
    <div className={`views ${isRequest(session) ? "of-request" : ""}`}>
      <Said {...props} />
      {!isRequest(session) && (
        <section className="panel waits-panel" aria-label="Where the wait went">
          <div className="panel-head">
            <h2>Where the wait went</h2>
          </div>
          <Waits spans={session.spans} onSelect={choose} />
        </section>
      )}
      <section className="panel spans-panel" aria-label="Spans">
        <div className="panel-head">
          <h2>Spans</h2>
        </div>
        <SpanTree spans={spans} lengthMs={lengthMs} selected={selected} onSelect={choose} />
        {selected && (
          <SpanDetail
            sessionId={session.id}
            span={selected}
            onClose={clear}
            actions={selected.request ? undefined : <SaveTurn session={session} span={selected} />}
          />
        )}
      </section>
    </div>
  );
}

function ScoresView(props: ViewsProps) {
  const { session, player, clear } = props;
  // A request has its own scores, on its own page.
  const selected = props.selected?.request ? null : props.selected;
  return (
    <div className="columns">
      <Said {...props} />
      <div className="stack">
        {selected && (
          <p className="row">
            <button type="button" className="button small" onClick={clear}>
              Score the whole call
            </button>
          </p>
        )}
        <Review session={session} player={player} span={selected} onSeek={(ms) => player.seek(ms)} />
      </div>
    </div>
  );
}
