/** The buttons of the stage: connect, hang up, talk; what is heard, and how loud. */
import { useEffect } from "react";
import { clock } from "../../lib/format";
import type { CallSnapshot, Phase } from "../../realtime/call";
import type { TalkMode } from "../../realtime/settings";
import type { SoundFile } from "../../realtime/sound-file";
import type { Stage, StageSnapshot } from "../../realtime/stage";
import { Button } from "../Button";
import { Icon } from "../Icon";
import { useNow } from "../Moment";
import { InputChoice } from "./InputChoice";
import { Meter } from "./Meter";

function Elapsed({ snapshot }: { snapshot: CallSnapshot }) {
  const now = useNow();
  if (snapshot.startedAt === null) return null;
  return <span className="elapsed">{clock((snapshot.endedAt ?? now) - snapshot.startedAt, 0)}</span>;
}

const PHASE_WORDS: Record<Phase, string> = {
  idle: "Not connected",
  connecting: "Connecting…",
  live: "Connected",
  ended: "Ended",
};

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement && target.closest("input, textarea, select, button, a, summary") !== null
  );
}

/** The space bar as the talk button; leaving the window lets go. */
function useSpaceToTalk(stage: Stage | null, active: boolean): void {
  useEffect(() => {
    if (!stage || !active) return;
    const down = (event: KeyboardEvent) => {
      if (event.key !== " " || isTyping(event.target)) return;
      event.preventDefault();
      if (!event.repeat) stage.hold();
    };
    const up = (event: KeyboardEvent) => {
      if (event.key === " ") stage.release();
    };
    const blur = () => stage.release();
    window.addEventListener("keydown", down);
    window.addEventListener("keyup", up);
    window.addEventListener("blur", blur);
    return () => {
      window.removeEventListener("keydown", down);
      window.removeEventListener("keyup", up);
      window.removeEventListener("blur", blur);
    };
  }, [stage, active]);
}

function TalkButton({ stage, snapshot }: { stage: Stage; snapshot: StageSnapshot }) {
  const holding = snapshot.input === "holding";
  return (
    <button
      type="button"
      className={`button talk ${holding ? "holding" : ""}`}
      data-testid="talk"
      aria-pressed={holding}
      disabled={snapshot.input !== "open" && !holding}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        stage.hold();
      }}
      onPointerUp={() => stage.release()}
      onPointerCancel={() => stage.release()}
      onKeyDown={(event) => {
        if ((event.key === " " || event.key === "Enter") && !event.repeat) stage.hold();
      }}
      onKeyUp={(event) => (event.key === " " || event.key === "Enter") && stage.release()}
      onContextMenu={(event) => event.preventDefault()}
    >
      <Icon name="mic" />
      {holding ? "Listening… let go to send" : "Hold to talk (space)"}
    </button>
  );
}

interface Props {
  stage: Stage | null;
  snapshot: StageSnapshot;
  /** Of the first call: two that run side by side begin and end together, as long as nothing goes wrong. */
  call: CallSnapshot;
  phase: Phase;
  mode: TalkMode;
  file: SoundFile | null;
  onFile: (file: SoundFile | null) => void;
  onConnect: () => void;
}

export function Controls({ stage, snapshot, call, phase, mode, file, onFile, onConnect }: Props) {
  const busy = phase === "live" || phase === "connecting";
  const talks = mode === "push-to-talk" && phase === "live";
  useSpaceToTalk(stage, talks);
  return (
    <section className="panel controls" aria-label="Call">
      <div className="controls-row">
        {busy ? (
          <button
            type="button"
            className="button hangup"
            data-testid="hangup"
            onClick={() => stage?.hangUp()}
          >
            <Icon name="phone" /> Hang up
          </button>
        ) : (
          <Button kind="primary" icon="phone" data-testid="connect" onClick={onConnect}>
            {phase === "ended" ? "Call again" : "Connect"}
          </Button>
        )}
        <span
          className={`status ${phase === "live" ? "live" : ""}`}
          data-testid="phase"
          data-state={phase}
          aria-live="polite"
        >
          {PHASE_WORDS[phase]}
        </span>
        <Elapsed snapshot={call} />
        <span className="grow" />
        {stage && talks && <TalkButton stage={stage} snapshot={snapshot} />}
        {stage && phase === "live" && stage.file && (
          <Button
            icon="play"
            data-testid="play-file"
            disabled={snapshot.playing}
            onClick={() => void stage.playFile()}
          >
            {snapshot.playing ? "Playing in…" : "Play the file again"}
          </Button>
        )}
        <InputChoice file={file} onFile={onFile} locked={busy} />
      </div>
      <div className="meters">
        <span className="side user">You</span>
        <Meter side="user" read={() => stage?.calls[0]?.levels.user ?? 0} testId="meter-user" />
        <span
          className="muted mic"
          data-testid="mic-status"
          data-state={snapshot.input}
          title={snapshot.inputText}
        >
          {snapshot.inputText}
        </span>
      </div>
    </section>
  );
}
