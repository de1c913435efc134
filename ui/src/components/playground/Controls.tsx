/** The call's buttons, meters and state, above its transcript. */
import { useEffect, useRef } from "react";
import { clock } from "../../lib/format";
import type { CallSnapshot, VoiceCall } from "../../realtime/call";
import type { CallSettings } from "../../realtime/events";
import { Icon } from "../Icon";
import { useNow } from "../Moment";

function Meter({ call, side }: { call: VoiceCall | null; side: "user" | "assistant" }) {
  const bar = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    let frame = 0;
    let shown = 0;
    const draw = () => {
      const level = call?.levels[side] ?? 0;
      // Up at once, down slowly: the eye reads peaks.
      shown = Math.max(level, shown * 0.9);
      if (bar.current) bar.current.style.transform = `scaleX(${shown.toFixed(3)})`;
      frame = requestAnimationFrame(draw);
    };
    draw();
    return () => cancelAnimationFrame(frame);
  }, [call, side]);
  return (
    <div className={`meter ${side}`} aria-hidden="true">
      <span ref={bar} data-testid={`meter-${side}`} />
    </div>
  );
}

function Elapsed({ snapshot }: { snapshot: CallSnapshot }) {
  const now = useNow();
  if (snapshot.startedAt === null) return null;
  return <span className="elapsed">{clock((snapshot.endedAt ?? now) - snapshot.startedAt, 0)}</span>;
}

const PHASE_WORDS: Record<CallSnapshot["phase"], string> = {
  idle: "Not connected",
  connecting: "Connecting…",
  live: "Connected",
  ended: "Ended",
};

function TalkButton({ call, snapshot }: { call: VoiceCall; snapshot: CallSnapshot }) {
  const holding = snapshot.mic === "holding";
  return (
    <button
      type="button"
      className={`button talk ${holding ? "holding" : ""}`}
      data-testid="talk"
      aria-pressed={holding}
      disabled={snapshot.mic !== "open" && !holding}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        call.hold();
      }}
      onPointerUp={() => call.release()}
      onPointerCancel={() => call.release()}
      onContextMenu={(event) => event.preventDefault()}
    >
      <Icon name="mic" />
      {holding ? "Listening… let go to send" : "Hold to talk (space)"}
    </button>
  );
}

interface Props {
  call: VoiceCall | null;
  snapshot: CallSnapshot;
  settings: CallSettings;
  onConnect: () => void;
}

export function Controls({ call, snapshot, settings, onConnect }: Props) {
  const busy = snapshot.phase === "live" || snapshot.phase === "connecting";
  return (
    <section className="panel controls" aria-label="Call">
      <div className="controls-row">
        {busy ? (
          <button type="button" className="button hangup" data-testid="hangup" onClick={() => call?.hangUp()}>
            <Icon name="phone" /> Hang up
          </button>
        ) : (
          <button type="button" className="button primary" data-testid="connect" onClick={onConnect}>
            <Icon name="phone" /> {snapshot.phase === "ended" ? "Call again" : "Connect"}
          </button>
        )}
        <span
          className={`status ${snapshot.phase === "live" ? "live" : ""}`}
          data-testid="phase"
          aria-live="polite"
        >
          {PHASE_WORDS[snapshot.phase]}
        </span>
        <Elapsed snapshot={snapshot} />
        <span className="grow" />
        {call && settings.mode === "push-to-talk" && snapshot.phase === "live" && (
          <TalkButton call={call} snapshot={snapshot} />
        )}
      </div>
      <div className="meters">
        <span className="side user">You</span>
        <Meter call={call} side="user" />
        <span
          className="muted mic"
          data-testid="mic-status"
          data-state={snapshot.mic}
          title={snapshot.micText}
        >
          {snapshot.micText}
        </span>
        <span className="side assistant">Assistant</span>
        <Meter call={call} side="assistant" />
        <span className="muted" data-testid="assistant-status">
          {snapshot.speaking ? "speaking" : snapshot.transcript.active.length > 0 ? "thinking" : "silent"}
        </span>
      </div>
    </section>
  );
}
