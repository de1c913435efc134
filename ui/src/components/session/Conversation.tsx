/** The call as people said it: each entry with its own clip, its words, its images, tools with what went in and out. */
import { type MouseEvent, memo, useMemo, useRef, useState } from "react";
import type { Attachment, SessionSummary, Span } from "../../api/types";
import { clock, duration, millis } from "../../lib/format";
import { imagesOf } from "../../lib/images";
import { Player } from "../../lib/player";
import {
  type ConversationEntry,
  conversation,
  errorText,
  fields,
  type Interruption,
  soundOf,
  toolArguments,
  toolResult,
  voiceToVoice,
} from "../../lib/trace";
import { useDrawnRows, useFollowed } from "../../lib/use-drawn-rows";
import { type PlaceClock, usePlayerState, usePlayerTime } from "../../lib/use-player";
import { timeOf, wordAt, wordsOf } from "../../lib/words";
import { Icon } from "../Icon";
import { JsonTree } from "./JsonTree";
import { Pictures } from "./Pictures";
import { RequestLinks } from "./Requests";

interface Props {
  sessionId: string;
  player: PlaceClock;
  spans: Span[];
  errors: unknown;
  live: boolean;
  /** Whether the words were recorded. */
  worded: boolean;
  selected: string | null;
  onSelect: (span: Span) => void;
  /** What works for a tool call, by its span. */
  requests?: ReadonlyMap<string, SessionSummary[]>;
}

function Clip({ clip, label }: { clip: Attachment; label: string }) {
  // Made when it is first played: a long call has hundreds.
  const [player, setPlayer] = useState<Player | null>(null);
  if (player) return <ClipButton player={player} label={label} />;
  return (
    <button
      type="button"
      className="button icon quiet clip"
      title={`Play ${label}`}
      aria-label={`Play ${label}`}
      data-testid="play-clip"
      onClick={(event) => {
        event.stopPropagation();
        const made = new Player(clip.url, "none");
        setPlayer(made);
        void made.play();
      }}
    >
      <Icon name="play" />
    </button>
  );
}

function ClipButton({ player, label }: { player: Player; label: string }) {
  const { playing, failed } = usePlayerState(player);
  const title = failed ? "This clip cannot be played" : `${playing ? "Stop" : "Play"} ${label}`;
  return (
    <button
      type="button"
      className="button icon quiet clip"
      disabled={failed}
      title={title}
      aria-label={title}
      data-testid="play-clip"
      onClick={(event) => {
        event.stopPropagation();
        player.seek(0);
        player.toggle();
      }}
    >
      <Icon name={playing ? "stop" : "play"} />
    </button>
  );
}

export function interruptionText(cut: Interruption): string {
  if (cut.heardMs === null) return "interrupted";
  const about = cut.estimated ? "about " : "";
  const of = cut.generatedMs === null ? "" : ` of ${(cut.generatedMs / 1000).toFixed(2)}`;
  return `interrupted, heard ${about}${(cut.heardMs / 1000).toFixed(2)}${of} s`;
}

function Meta({ entry, onSelect }: { entry: ConversationEntry; onSelect: () => void }) {
  const { span, kind } = entry;
  const { startMs, endMs } = soundOf(span);
  const v2v = kind === "assistant" ? voiceToVoice(span) : null;
  const overlap = Number(fields(span.metrics).overlap_ms) || 0;
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
      {fields(span.metrics).barge_in === true && (
        <span className="warn">barged in{overlap > 0 ? `, overlap ${duration(overlap)}` : ""}</span>
      )}
      {entry.interruption && <span className="warn">{interruptionText(entry.interruption)}</span>}
      {kind === "tool" && <ToolFacts span={span} />}
      {kind === "user" && <WrittenBy span={span} />}
    </div>
  );
}

/** Words that the provider did not give, and the gateway had made after the call. */
function WrittenBy({ span }: { span: Span }) {
  const { transcribed_by: by, transcription_model: model } = fields(span.input);
  if (typeof by !== "string") return null;
  return (
    <span
      data-testid="transcribed-by"
      title="The provider gave no words: these were made from the recording after the call"
    >
      words by {by}
      {typeof model === "string" && ` · ${model}`}
    </span>
  );
}

function ToolFacts({ span }: { span: Span }) {
  const valid = fields(span.metrics).schema_valid;
  const { misfit, ran_in: ranIn } = fields(span.input);
  return (
    <>
      {ranIn === "mcp" && <span>MCP</span>}
      {valid === true && <span>schema ok</span>}
      {valid === false && (
        <span className="bad">{misfit ? `does not fit: ${String(misfit)}` : "does not fit"}</span>
      )}
      {span.status === "unfinished" && <span className="warn">no result</span>}
    </>
  );
}

function ToolBody({ span }: { span: Span }) {
  const result = toolResult(span);
  return (
    <div className="tool-body">
      <JsonTree value={toolArguments(span)} label="Arguments" />
      <div className="tool-result">
        <span className="arrow" aria-hidden="true">
          →
        </span>
        {result === undefined ? (
          <span className="muted">no result{span.end_ms == null ? " yet" : ""}</span>
        ) : (
          <JsonTree value={result} label="Result" />
        )}
      </div>
    </div>
  );
}

function missingWords({ kind, span }: ConversationEntry, live: boolean): string {
  if (live && span.end_ms == null) return "…";
  if (String(fields(span.input).item_id).startsWith("user_file_")) return "sent as sound";
  return kind === "user" ? "no transcript (set audio.input.transcription to get one)" : "no words";
}

/** A click on a word seeks; of the one that sounds now there is a light. */
function Spoken({
  entry,
  player,
  active,
}: {
  entry: ConversationEntry;
  player: PlaceClock;
  active: boolean;
}) {
  const { text, unheardText, span } = entry;
  const words = useMemo(() => wordsOf(text), [text]);
  const { startMs, endMs } = soundOf(span);
  const sound = { fromMs: startMs, toMs: endMs };
  const now = usePlayerTime(player, (ms) => (active ? wordAt(words, sound, ms) : null));
  const seek = (event: MouseEvent) => {
    const n = event.target instanceof HTMLElement ? event.target.dataset.word : undefined;
    const word = n === undefined ? undefined : words[Number(n)];
    if (!word || window.getSelection()?.toString()) return;
    event.stopPropagation();
    player.seek(timeOf(word, sound));
  };
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the time button above does the same for the keyboard
    <p className="words" onClick={endMs > startMs ? seek : undefined}>
      {words.map((word, n) => (
        <span key={word.from} data-word={n} className={n === now ? "now" : undefined}>
          {word.text}
        </span>
      ))}
      {unheardText && (
        <>
          <span className="heard-until" title="Heard until here (by the share of the sound)">
            <span className="visually-hidden">heard until here; not heard: </span>
          </span>
          <s className="unheard" title="Generated, but not heard (the place is estimated from the time)">
            {unheardText}
          </s>
        </>
      )}
    </p>
  );
}

function Words(props: {
  entry: ConversationEntry;
  player: PlaceClock;
  live: boolean;
  worded: boolean;
  active: boolean;
}) {
  const { entry, live, worded } = props;
  if (entry.kind === "error") return null;
  if (!worded) return <p className="muted">words not recorded</p>;
  if (!entry.text && imagesOf(entry.span).length > 0) return null;
  if (!entry.text && !entry.unheardText) return <p className="muted">{missingWords(entry, live)}</p>;
  return <Spoken entry={entry} player={props.player} active={props.active} />;
}

interface EntryProps {
  sessionId: string;
  entry: ConversationEntry;
  player: PlaceClock;
  live: boolean;
  worded: boolean;
  state: "playing" | "selected" | "";
  onSelect: (span: Span) => void;
  requests: SessionSummary[] | undefined;
}

const Entry = memo(function Entry(props: EntryProps) {
  const { sessionId, entry, player, live, worded, state, onSelect } = props;
  const error = errorText(entry.span.error);
  const select = () => onSelect(entry.span);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the time button inside does the same for the keyboard
    // biome-ignore lint/a11y/noStaticElementInteractions: likewise
    <div
      className={`entry ${entry.kind} ${state}`}
      onClick={select}
      data-testid={`entry-${entry.kind}`}
      data-span={entry.span.id}
    >
      <div className="entry-main">
        <Meta entry={entry} onSelect={select} />
        {entry.kind === "tool" ? (
          <>
            <ToolBody span={entry.span} />
            <RequestLinks requests={props.requests} />
          </>
        ) : (
          <Words entry={entry} player={player} live={live} worded={worded} active={state === "playing"} />
        )}
        <Pictures sessionId={sessionId} span={entry.span} />
        {error && <p className="bad">{error}</p>}
      </div>
      {entry.clip && (
        <Clip clip={entry.clip} label={entry.kind === "user" ? "the user's clip" : "the answer"} />
      )}
    </div>
  );
});

/** Which entry sounds, by its place in the list; -1 for none. */
function activeEntry(entries: ConversationEntry[], ms: number): number {
  return entries.findLastIndex(({ span }) => {
    const { startMs, endMs } = soundOf(span);
    return startMs <= ms && ms < endMs;
  });
}

/** About as high as two lines of words. */
const ENTRY_PX = 64;

export function Conversation(props: Props) {
  const { sessionId, player, spans, errors, live, worded, selected, onSelect, requests } = props;
  const entries = useMemo(() => conversation(spans, errors), [spans, errors]);
  const keys = useMemo(() => entries.map((entry) => entry.span.id), [entries]);
  const active = usePlayerTime(player, (ms) => activeEntry(entries, ms));
  const scroller = useRef<HTMLElement>(null);
  const rows = useDrawnRows({ scroller, keys, rowPx: ENTRY_PX });
  useFollowed(rows, active, live ? entries.length : 0);
  if (entries.length === 0) {
    return (
      <p className="muted padded">
        {live
          ? "Nothing was said yet. It appears here while the call goes on."
          : "Nothing was said in this call."}
      </p>
    );
  }
  const stateOf = (at: number) => (at === active ? "playing" : keys[at] === selected ? "selected" : "");
  return (
    <section
      className="conversation"
      data-testid="conversation"
      ref={scroller}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be scrolled by the keyboard
      tabIndex={0}
      aria-label="What was said"
    >
      <ol style={{ height: rows.getTotalSize() }}>
        {rows.getVirtualItems().map(({ index, key, start }) => {
          const entry = entries[index];
          return entry ? (
            <li
              key={key}
              ref={rows.measureElement}
              data-index={index}
              style={{ transform: `translateY(${start}px)` }}
              aria-setsize={entries.length}
              aria-posinset={index + 1}
            >
              <TurnMark entry={entry} before={entries[index - 1]} />
              <Entry
                sessionId={sessionId}
                entry={entry}
                player={player}
                live={live}
                worded={worded}
                state={stateOf(index)}
                onSelect={onSelect}
                requests={requests?.get(entry.span.id)}
              />
            </li>
          ) : null;
        })}
      </ol>
    </section>
  );
}

function TurnMark({ entry, before }: { entry: ConversationEntry; before: ConversationEntry | undefined }) {
  if (entry.turn === null || entry.turn === before?.turn) return null;
  return <p className="turn-mark">Turn {entry.turn}</p>;
}
