/** One call on the stage: its state, its lanes and latency, and its transcript. */
import { useCall } from "../../lib/use-stage";
import type { CallSnapshot, VoiceCall } from "../../realtime/call";
import type { CallSettings } from "../../realtime/settings";
import { Button } from "../Button";
import { Latency } from "./Latency";
import { LiveLanes } from "./LiveLanes";
import { Meter } from "./Meter";
import { Recording } from "./Recording";
import { Transcript } from "./Transcript";

interface Props {
  call: VoiceCall | null;
  settings: CallSettings;
  /** "A" or "B" where there are two. */
  letter: string | null;
  hint: string;
}

function assistantState(snapshot: CallSnapshot): string {
  if (snapshot.speaking) return "speaking";
  return snapshot.transcript.active.length > 0 ? "thinking" : "silent";
}

export function Side({ call, settings, letter, hint }: Props) {
  const snapshot = useCall(call);
  const live = snapshot.phase === "live";
  const suffix = letter === "B" ? "-b" : "";
  return (
    <section
      className="panel talk-panel"
      aria-label={letter ? `Conversation ${letter}` : "Conversation"}
      data-testid={`side${suffix || "-a"}`}
    >
      <header className="side-head">
        {letter && <span className="letter">{letter}</span>}
        <strong className="side-model" title={settings.model}>
          {call?.settings.model ?? settings.model}
        </strong>
        <span className="muted">{call?.settings.voice ?? settings.voice}</span>
        <span className="grow" />
        {letter && live && (
          <Button
            kind="quiet"
            aria-pressed={snapshot.muted}
            data-testid={`mute${suffix}`}
            onClick={() => call?.setMuted(!snapshot.muted)}
          >
            {snapshot.muted ? "Unmute" : "Mute"}
          </Button>
        )}
        <Recording snapshot={snapshot} suffix={suffix} />
      </header>
      <div className="meters">
        <span className="side assistant">Assistant</span>
        <Meter
          side="assistant"
          read={() => call?.levels.assistant ?? 0}
          testId={`meter-assistant${suffix}`}
        />
        <span className="muted" data-testid={`assistant-status${suffix}`}>
          {assistantState(snapshot)}
        </span>
      </div>
      {call && <LiveLanes call={call} live={live} />}
      {call && <Latency turns={snapshot.turns} suffix={suffix} />}
      {snapshot.closeText && (
        <p
          className={`notice ${snapshot.failed ? "error" : ""}`}
          role={snapshot.failed ? "alert" : "status"}
          data-testid={`close-text${suffix}`}
        >
          {snapshot.closeText}
        </p>
      )}
      <Transcript entries={snapshot.transcript.entries} hint={hint} />
    </section>
  );
}
