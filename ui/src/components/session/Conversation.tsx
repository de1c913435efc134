/** The call as people said it: each entry with its own clip, tools with what went in and came out. */
import { useMemo, useState } from "react";
import type { Attachment, Span } from "../../api/types";
import { clock, duration, millis } from "../../lib/format";
import { Player } from "../../lib/player";
import {
  type ConversationEntry,
  conversation,
  errorText,
  type Interruption,
  soundOf,
  toolArguments,
  toolResult,
  voiceToVoice,
} from "../../lib/trace";
import { usePlayerState, usePlayerTime } from "../../lib/use-player";
import { Icon } from "../Icon";
import { JsonText } from "./JsonText";

interface Props {
  player: Player;
  spans: Span[];
  errors: unknown;
  live: boolean;
  /** Whether the words were recorded. */
  worded: boolean;
  selected: string | null;
  onSelect: (span: Span) => void;
}

function Clip({ clip, label }: { clip: Attachment; label: string }) {
  const [player] = useState(() => new Player(clip.url, "none"));
  const { playing, failed } = usePlayerState(player);
  const title = failed ? "This clip cannot be played" : `${playing ? "Stop" : "Play"} ${label}`;
  const toggle = () => {
    player.seek(0);
    player.toggle();
  };
  return (
    <button
      type="button"
      className="button icon quiet clip"
      disabled={failed}
      title={title}
      aria-label={title}
      data-testid="play-clip"
      onClick={toggle}
    >
      <Icon name={playing ? "stop" : "play"} />
    </button>
  );
}

export function interruptionText(cut: Interruption): string {
  if (cut.heardMs === null) return "interrupted";
  const about = cut.estimated ? "about " : "";
  const of = cut.generatedMs === null ? "" : ` of ${(cut.generatedMs / 1000).toFixed(1)}`;
  return `interrupted, heard ${about}${(cut.heardMs / 1000).toFixed(1)}${of} s`;
}

function Meta({ entry, onSelect }: { entry: ConversationEntry; onSelect: () => void }) {
  const { span, kind } = entry;
  const { startMs, endMs } = soundOf(span);
  const v2v = kind === "assistant" ? voiceToVoice(span) : null;
  return (
    <div className="meta">
      <span className="who">{kind === "tool" ? `tool · ${span.name}` : kind}</span>
      <button type="button" className="at" title="Seek to here" onClick={onSelect}>
        {clock(startMs)}
      </button>
      {endMs > startMs && <span>{duration(endMs - startMs)}</span>}
      {v2v !== null && (
        <span title="Voice to voice: from the end of speech to the first sound">v2v {millis(v2v)}</span>
      )}
      {entry.interruption && <span className="warn">{interruptionText(entry.interruption)}</span>}
    </div>
  );
}

function ToolBody({ span }: { span: Span }) {
  const result = toolResult(span);
  return (
    <div className="tool-body">
      <JsonText value={toolArguments(span)} label="Arguments" />
      <span className="arrow" aria-hidden="true">
        →
      </span>
      {result === undefined ? (
        <span className="muted">no result yet</span>
      ) : (
        <JsonText value={result} label="Result" />
      )}
    </div>
  );
}

function Words({ entry, live, worded }: { entry: ConversationEntry; live: boolean; worded: boolean }) {
  const { text, unheardText, kind, span } = entry;
  if (kind === "error") return null;
  if (!worded) return <p className="muted">words not recorded</p>;
  if (!text && !unheardText) {
    const missing = kind === "user" ? "no transcript (set audio.input.transcription to get one)" : "no words";
    return <p className="muted">{live && span.end_ms == null ? "…" : missing}</p>;
  }
  return (
    <p className="words">
      {text}
      {unheardText && (
        <s className="unheard" title="Generated, but not heard (the place is estimated from the time)">
          {unheardText}
        </s>
      )}
    </p>
  );
}

interface EntryProps {
  entry: ConversationEntry;
  live: boolean;
  worded: boolean;
  state: "playing" | "selected" | "";
  onSelect: () => void;
}

function Entry({ entry, live, worded, state, onSelect }: EntryProps) {
  const error = errorText(entry.span.error);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the time button inside does the same for the keyboard
    <li className={`entry ${entry.kind} ${state}`} onClick={onSelect} data-testid={`entry-${entry.kind}`}>
      <div className="entry-main">
        <Meta entry={entry} onSelect={onSelect} />
        {entry.kind === "tool" && worded ? (
          <ToolBody span={entry.span} />
        ) : (
          <Words entry={entry} live={live} worded={worded} />
        )}
        {error && <p className="bad">{error}</p>}
      </div>
      {entry.clip && <Clip key={entry.clip.url} clip={entry.clip} label={`what the ${entry.kind} said`} />}
    </li>
  );
}

/** Things without a length, such as typed text, light up for a moment too. */
const SHORTEST_ACTIVE_MS = 300;

function activeAt(entries: ConversationEntry[], ms: number): string | null {
  if (ms <= 0) return null;
  const active = entries.findLast(({ span }) => {
    const { startMs, endMs } = soundOf(span);
    return startMs <= ms && ms < Math.max(endMs, startMs + SHORTEST_ACTIVE_MS);
  });
  return active?.span.id ?? null;
}

export function Conversation({ player, spans, errors, live, worded, selected, onSelect }: Props) {
  const entries = useMemo(() => conversation(spans, errors), [spans, errors]);
  const active = usePlayerTime(player, (ms) => activeAt(entries, ms));
  if (entries.length === 0) {
    return (
      <p className="muted padded">
        {live ? "Nothing was said yet. It shows up here as it is." : "Nothing was said in this call."}
      </p>
    );
  }
  const stateOf = (id: string) => (id === active ? "playing" : id === selected ? "selected" : "");
  return (
    <ol className="conversation" data-testid="conversation">
      {entries.map((entry, i) => (
        <ConversationPart key={entry.span.id} entry={entry} before={entries[i - 1]}>
          <Entry
            entry={entry}
            live={live}
            worded={worded}
            state={stateOf(entry.span.id)}
            onSelect={() => onSelect(entry.span)}
          />
        </ConversationPart>
      ))}
    </ol>
  );
}

interface PartProps {
  entry: ConversationEntry;
  before: ConversationEntry | undefined;
  children: React.ReactNode;
}

function ConversationPart({ entry, before, children }: PartProps) {
  const begins = entry.turn !== null && entry.turn !== before?.turn;
  return (
    <>
      {begins && <li className="turn-mark">Turn {entry.turn}</li>}
      {children}
    </>
  );
}
