/** Both sides' words as they come; it follows the newest unless one scrolled up to read. */
import { useEffect, useRef } from "react";
import { duration } from "../../lib/format";
import type { EntryState, TranscriptEntry } from "../../realtime/transcript";
import { JsonText } from "../session/JsonText";

const STATE_WORDS: Record<EntryState, string> = {
  listening: "listening…",
  transcribing: "transcribing…",
  generating: "answering…",
  done: "",
  interrupted: "interrupted",
  failed: "failed",
};
const NEAR_END_PX = 80;

function stateWords(entry: TranscriptEntry): string {
  if (entry.state === "interrupted" && entry.heardMs !== null && entry.generatedMs > 0) {
    return `interrupted, heard ${(entry.heardMs / 1000).toFixed(1)} of ${(entry.generatedMs / 1000).toFixed(1)} s`;
  }
  if (entry.role === "tool" && entry.state !== "done") return "waiting for the result";
  return STATE_WORDS[entry.state];
}

const ROLE_WORDS = { user: "you", assistant: "assistant", tool: "tool", error: "problem" };

function Entry({ entry }: { entry: TranscriptEntry }) {
  const tone = entry.state === "interrupted" ? "warn" : entry.state === "failed" ? "bad" : "";
  return (
    <li className={`said ${entry.role}`} data-testid={`${entry.role}-transcript`} data-state={entry.state}>
      <div className="said-main">
        <div className="meta">
          <span className="who">{entry.tool ? `tool · ${entry.tool.name}` : ROLE_WORDS[entry.role]}</span>
          {entry.generatedMs > 0 && <span>{duration(entry.generatedMs)}</span>}
          <span className={tone}>{stateWords(entry)}</span>
        </div>
        {entry.images.length > 0 && (
          <div className="pictures">
            {entry.images.map((url, at) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: the pictures of a message never change.
              <img key={at} src={url} alt="Shown to the assistant" data-testid="shown-picture" />
            ))}
          </div>
        )}
        {entry.text && <p className="words">{entry.text}</p>}
        {entry.tool && (
          <div className="tool-body">
            <JsonText value={entry.tool.arguments} label="Arguments" />
            <span className="arrow" aria-hidden="true">
              →
            </span>
            {entry.tool.output !== null && <JsonText value={entry.tool.output} label="Result" />}
          </div>
        )}
      </div>
    </li>
  );
}

export function Transcript({ entries, hint }: { entries: TranscriptEntry[]; hint: string }) {
  const box = useRef<HTMLDivElement>(null);
  const following = useRef(true);
  useEffect(() => {
    const element = box.current;
    if (element && following.current && entries.length > 0) element.scrollTop = element.scrollHeight;
  }, [entries]);
  const scrolled = () => {
    const element = box.current;
    if (!element) return;
    following.current = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_END_PX;
  };
  return (
    <div className="transcript" ref={box} onScroll={scrolled}>
      {entries.length === 0 ? (
        <p className="muted padded">{hint}</p>
      ) : (
        <ol className="said-list" aria-label="Transcript" aria-live="polite">
          {entries.map((entry) => (
            <Entry key={entry.id} entry={entry} />
          ))}
        </ol>
      )}
    </div>
  );
}
