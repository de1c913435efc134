/** The call on one clock with its controls: lanes, transport, keys, listening in, and the call in numbers. */
import { useEffect, useMemo, useState, useSyncExternalStore } from "react";
import type { SessionDetail, Span } from "../../api/types";
import { JUMPS, jump } from "../../lib/call-keys";
import { type Block, callMarks } from "../../lib/call-marks";
import { useCallPeaks } from "../../lib/call-peaks";
import { type Key, useKeys } from "../../lib/keys";
import { Ear } from "../../lib/listen";
import { type CallPeaks, deadAir, type Stretch } from "../../lib/peaks";
import type { Player } from "../../lib/player";
import type { Muted } from "../../lib/sides";
import { clipOf, soundOf, soundState } from "../../lib/trace";
import { useEveryFrame, usePlayerState } from "../../lib/use-player";
import { ViewState } from "../../lib/view";
import { Facts } from "./Facts";
import { Listen } from "./Listen";
import { MuteButton } from "./Mute";
import { Timeline } from "./Timeline";
import { stepRate, Transport } from "./Transport";

interface Props {
  session: SessionDetail;
  player: Player;
  lengthMs: number;
  onChoose: (span: Span) => void;
}

const VIEW_STEP = 0.25;
/** A shorter selection was a click with a trembling hand. */
const SHORTEST_LOOP_MS = 50;

function useEar(session: SessionDetail, player: Player): Ear {
  const { id, status } = session;
  const ear = useMemo(
    () => new Ear(`/api/sessions/${encodeURIComponent(id)}/listen`, (ms) => player.seek(ms)),
    [id, player],
  );
  useEffect(() => {
    if (status !== "live") ear.pause();
  }, [ear, status]);
  useEffect(() => () => ear.pause(), [ear]);
  return ear;
}

/** Where each side spoke, for as long as there are no peaks. */
function speechOf(spans: Span[]) {
  const of = (type: Span["type"]) =>
    spans
      .filter((span) => span.type === type && clipOf(span))
      .map(soundOf)
      .map(({ startMs, endMs }) => ({ fromMs: startMs, toMs: endMs }));
  return { user: of("user"), assistant: of("response") };
}

/** The loop in order, or the turn that the place is in. */
function loopAt(player: Player, spans: Span[]): Stretch | null {
  const turn = spans.findLast(
    (span) => span.type === "turn" && span.start_ms <= player.timeMs && (span.end_ms ?? 0) > player.timeMs,
  );
  return turn ? { fromMs: turn.start_ms, toMs: turn.end_ms ?? turn.start_ms } : null;
}

interface KeysOf extends Props {
  ear: Ear;
  view: ViewState;
  peaks: CallPeaks | null;
  muted: Muted;
  mute: (muted: Muted) => void;
  toggleLoop: () => void;
}

function keysOf(all: KeysOf): Key[] {
  const { session, player, lengthMs, ear, view, peaks, muted, mute, toggleLoop } = all;
  const live = session.status === "live";
  const seekTo = (key: string) => () => {
    const landmarks = { spans: session.spans, deadAir: peaks ? deadAir(peaks) : [], errors: session.errors };
    const to = jump(key, landmarks, player.timeMs);
    if (to !== undefined) player.seek(Math.min(to, lengthMs));
  };
  const arrow = (key: "ArrowLeft" | "ArrowRight") => (event: KeyboardEvent) => {
    const shown = view.view.toMs - view.view.fromMs;
    if (event.shiftKey) view.pan((key === "ArrowLeft" ? -1 : 1) * shown * VIEW_STEP);
    else seekTo(key)();
  };
  return [
    { key: " ", what: live ? "Listen in, stop" : "Play, pause", act: () => (live ? ear : player).toggle() },
    ...JUMPS.map(([key, what]) => ({ key, what, act: seekTo(key) })),
    { key: "ArrowLeft", what: "2 s back; with shift: move the view", act: arrow("ArrowLeft") },
    { key: "ArrowRight", what: "2 s on; with shift: move the view", act: arrow("ArrowRight") },
    { key: "l", what: "Loop what is selected, or this turn", act: toggleLoop },
    { key: "+", what: "Zoom in (also ctrl or ⌘ and the wheel)", act: () => view.zoom(2, player.timeMs) },
    { key: "-", what: "Zoom out", act: () => view.zoom(0.5, player.timeMs) },
    { key: "0", what: "The whole call", act: () => view.fit() },
    { key: "<", what: "Slower", act: () => stepRate(player, -1) },
    { key: ">", what: "Faster", act: () => stepRate(player, 1) },
    { key: "u", what: "Mute the user", act: () => mute({ ...muted, user: !muted.user }) },
    { key: "a", what: "Mute the assistant", act: () => mute({ ...muted, assistant: !muted.assistant }) },
  ];
}

/** A selection waits to be looped; whether it is, the player knows. */
function useLoop(player: Player, spans: Span[]) {
  const [chosen, setChosen] = useState<Stretch | null>(null);
  const choose = (stretch: Stretch | null) => {
    const kept = stretch && stretch.toMs - stretch.fromMs >= SHORTEST_LOOP_MS ? stretch : null;
    setChosen(kept);
    player.loop = kept;
  };
  const toggle = () => {
    if (player.state.loop) {
      player.loop = null;
      setChosen(null);
      return;
    }
    choose(chosen ?? loopAt(player, spans));
  };
  return { loop: chosen, choose, toggle };
}

export function CallPanel(props: Props) {
  const { session, player, lengthMs, onChoose } = props;
  const { spans } = session;
  const sound = soundState(session);
  const live = session.status === "live";
  const { peaks, revision } = useCallPeaks(session.id, live ? "live" : sound === "ready" ? "ready" : "none");
  const [view] = useState(() => new ViewState(lengthMs));
  const ear = useEar(session, player);
  const listening = useSyncExternalStore(ear.subscribe, ear.getState);
  const playing = usePlayerState(player);
  const { loop, choose, toggle } = useLoop(player, spans);
  // A running call is as long as what has been heard of it, not as its last span.
  const shownMs = Math.max(lengthMs, live ? (peaks?.lengthMs ?? 0) : 0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: of the rest of the session nothing is marked
  const marks = useMemo(() => callMarks(session, shownMs), [spans, session.scores, session.events, shownMs]);
  const speech = useMemo(() => speechOf(spans), [spans]);
  useEveryFrame(player, (ms) => (player.state.playing || ear.state.on) && view.reveal(ms));

  const muted = live ? listening.muted : playing.muted;
  const mute = (next: Muted) => (live ? ear : player).mute(next);
  useKeys(
    "This call",
    keysOf({ ...props, lengthMs: shownMs, ear, view, peaks, muted, mute, toggleLoop: toggle }),
  );
  const chooseBlock = (block: Block) => {
    const span = spans.find((one) => one.id === block.spanId);
    if (span) onChoose(span);
    else player.seek(block.fromMs);
  };
  const hears = sound === "ready" || listening.on;
  const muteButton = (side: keyof Muted) =>
    hears ? <MuteButton side={side} muted={muted} onMute={mute} /> : undefined;
  return (
    <div className="panel call">
      <div className="call-main">
        <Timeline
          clock={player}
          view={view}
          lengthMs={shownMs}
          peaks={peaks}
          revision={revision}
          marks={marks}
          speech={speech}
          loop={loop}
          onLoop={choose}
          onChoose={chooseBlock}
          live={live}
          controls={{ user: muteButton("user"), assistant: muteButton("assistant") }}
        />
        <Transport
          player={player}
          view={view}
          lengthMs={shownMs}
          sound={sound}
          onLoop={toggle}
          listen={live ? <Listen ear={ear} recorded={session.recorded?.audio !== false} /> : undefined}
        />
      </div>
      <Facts session={session} />
    </div>
  );
}
