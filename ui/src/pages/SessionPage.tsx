/** One call: seen, heard, read and measured, while it runs and afterwards. */
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { peaksQuery } from "../api/queries";
import type { SessionDetail, Span } from "../api/types";
import { Problem } from "../components/Problem";
import { Conversation } from "../components/session/Conversation";
import { Details } from "../components/session/Details";
import { Events } from "../components/session/Events";
import { Facts } from "../components/session/Facts";
import { Header } from "../components/session/Header";
import { SpanDetail, SpanTree } from "../components/session/SpanTree";
import { Timeline } from "../components/session/Timeline";
import { Transport } from "../components/session/Transport";
import { Waits } from "../components/session/Waits";
import { Tabs } from "../components/Tabs";
import { useCallKeys } from "../lib/call-keys";
import { useLiveSession } from "../lib/live-session";
import { usePageTitle } from "../lib/page-title";
import type { Player } from "../lib/player";
import { sessionLength, sessionTitle, soundOf, soundState } from "../lib/trace";
import { usePlayer } from "../lib/use-player";
import type { SessionTab } from "../router";
import "../styles/session.css";
import "../styles/timeline.css";
import "../styles/session-parts.css";

const TABS = [
  { id: "conversation", label: "Conversation" },
  { id: "events", label: "Raw events" },
  { id: "details", label: "Details" },
] as const;

function Skeleton() {
  return (
    <main id="main" className="page stack" aria-busy="true" aria-label="The session is loading">
      <span className="skeleton" style={{ height: 32 }} />
      <span className="skeleton" style={{ height: 280 }} />
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

/** The place that the address names is sought once, when the page opens. */
function useStartAt(player: Player): void {
  const { t } = useSearch({ from: "/sessions/$id" });
  const start = useRef(t);
  useEffect(() => {
    if (start.current !== undefined) player.seek(start.current * 1000);
  }, [player]);
}

function Session({ session, player }: { session: SessionDetail; player: Player }) {
  const { tab = "conversation" } = useSearch({ from: "/sessions/$id" });
  const navigate = useNavigate({ from: "/sessions/$id" });
  const live = session.status === "live";
  const sound = soundState(session);
  const peaks = useQuery(peaksQuery(session.id, sound === "ready"));
  const lengthMs = sessionLength(session);
  const [selected, setSelected] = useState<string | null>(null);
  useStartAt(player);
  useCallKeys(player, session.spans, lengthMs);

  const select = (span: Span) => {
    setSelected(span.id);
    player.seek(soundOf(span).startMs);
  };
  const openTab = (next: SessionTab) =>
    void navigate({
      search: (before) => ({ ...before, tab: next === "conversation" ? undefined : next }),
      replace: true,
      resetScroll: false,
    });
  const linkToTime = () => {
    const seconds = Math.floor(player.timeMs / 100) / 10;
    return `${window.location.origin}/sessions/${session.id}${seconds > 0 ? `?t=${seconds}` : ""}`;
  };

  return (
    <main id="main" className="page stack">
      <Header session={session} linkToTime={linkToTime} />
      <div className="panel call">
        <div className="call-main">
          <Timeline
            player={player}
            peaks={peaks.data}
            spans={session.spans}
            lengthMs={lengthMs}
            onSelect={select}
          />
          <Transport player={player} lengthMs={lengthMs} sound={sound} />
        </div>
        <Facts session={session} />
      </div>
      <Tabs tabs={TABS} selected={tab} onSelect={openTab} label="Views of the call" />
      {tab === "conversation" && (
        <Views
          session={session}
          player={player}
          lengthMs={lengthMs}
          selected={selected}
          select={select}
          clear={() => setSelected(null)}
        />
      )}
      {tab === "events" && <Events id={session.id} live={live} onSeek={(ms) => player.seek(ms)} />}
      {tab === "details" && <Details session={session} />}
    </main>
  );
}

interface ViewsProps {
  session: SessionDetail;
  player: Player;
  lengthMs: number;
  selected: string | null;
  select: (span: Span) => void;
  clear: () => void;
}

function Views({ session, player, lengthMs, selected, select, clear }: ViewsProps) {
  const span = session.spans.find((one) => one.id === selected) ?? null;
  return (
    <div className="views">
      <section className="panel" aria-label="Conversation">
        <Conversation
          player={player}
          spans={session.spans}
          errors={session.errors}
          live={session.status === "live"}
          worded={session.recorded?.text !== false}
          selected={selected}
          onSelect={select}
        />
      </section>
      <div className="stack">
        <section className="panel" aria-label="Where the wait went">
          <div className="panel-head">
            <h2>Where the wait went</h2>
          </div>
          <Waits spans={session.spans} onSelect={select} />
        </section>
        <section className="panel" aria-label="Spans">
          <div className="panel-head">
            <h2>Spans</h2>
          </div>
          <SpanTree spans={session.spans} lengthMs={lengthMs} selected={span} onSelect={select} />
          {span && <SpanDetail span={span} onClose={clear} />}
        </section>
      </div>
    </div>
  );
}
