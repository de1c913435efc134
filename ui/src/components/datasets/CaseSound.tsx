/** What of a case can be heard: its own sound, the call that it came from, or the copy that it keeps of it. */
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { send } from "../../api/client";
import { sessionQuery } from "../../api/queries";
import type { Case } from "../../api/schema";
import type { Span } from "../../api/types";
import { LogSound } from "../../lib/log-sound";
import { toastError } from "../../lib/toasts";
import { clipOf, spanText } from "../../lib/trace";
import { Button } from "../Button";
import { Sound } from "../Sound";

const blobUrl = (dataset: string, blob: string) =>
  `/api/datasets/${encodeURIComponent(dataset)}/blobs/${encodeURIComponent(blob)}`;

async function soundOfLog(url: string, turn: number | null): Promise<string> {
  const log = new LogSound();
  const stream = (await send(url)).body?.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (let part = await stream?.read(); part && !part.done; part = await stream?.read()) {
    const lines = (rest + part.value).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) log.push(line);
  }
  log.push(rest);
  const wav = log.wav(turn);
  if (!wav) throw new Error("Nothing was said here that could be heard.");
  return URL.createObjectURL(new Blob([wav], { type: "audio/wav" }));
}

/** The copy of the event log is fetched when somebody wants to hear it. */
function RecordingSound({ url, turn }: { url: string; turn: number | null }) {
  const [sound, setSound] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => () => void (sound && URL.revokeObjectURL(sound)), [sound]);
  const name = turn === null ? "the user" : "the user's turn";
  if (sound) return <Sound url={sound} name={name} />;
  const load = () => {
    setBusy(true);
    soundOfLog(url, turn)
      .then(setSound, toastError)
      .finally(() => setBusy(false));
  };
  return (
    <Button icon="play" disabled={busy} data-testid="hear-recording" onClick={load}>
      {busy ? "Reading the recording…" : `Hear ${name} from the case's own copy`}
    </Button>
  );
}

/** The user's and the assistant's clips of the turn, or the whole call. */
function clipsOf(spans: Span[], turn: Span | undefined): { url: string; name: string; ms: number | null }[] {
  return spans.flatMap((span) => {
    const clip = clipOf(span);
    if (!clip || span.parent_id !== turn?.id || !["user", "response"].includes(span.type)) return [];
    const words = spanText(span);
    const who = span.type === "user" ? "user" : "assistant";
    return [{ url: clip.url, name: words ? `${who}: ${words}` : who, ms: clip.duration_ms ?? null }];
  });
}

export function CaseSound({ datasetId, one }: { datasetId: string | null; one: Case }) {
  const { input, session_id: sessionId, span_id: spanId } = one;
  const recorded = input.kind === "turn" || input.kind === "session";
  const session = useQuery({
    ...sessionQuery(sessionId ?? ""),
    enabled: recorded && !!sessionId,
    retry: false,
  });
  const spans = session.data?.spans ?? [];
  const turns = spans.filter((span) => span.type === "turn");
  const turn = spans.find((span) => span.id === spanId) ?? turns[input.turn ?? -1];
  const clips = input.kind === "turn" ? clipsOf(spans, turn) : [];
  const whole = input.kind === "session" && session.data && "mix" in session.data.tracks;
  return (
    <div className="stack case-sound">
      {input.clips?.map(
        (clip, n) =>
          clip.blob &&
          datasetId && (
            <Sound
              // biome-ignore lint/suspicious/noArrayIndexKey: clips have no names, and their order is theirs
              key={n}
              url={blobUrl(datasetId, clip.blob)}
              name={input.clips?.length === 1 ? "what is said" : `clip ${n + 1}`}
              lengthMs={clip.duration_ms}
            />
          ),
      )}
      {clips.map((clip) => (
        <Sound key={clip.url} url={clip.url} name={clip.name} lengthMs={clip.ms} />
      ))}
      {whole && (
        <Sound
          url={`/api/sessions/${encodeURIComponent(sessionId ?? "")}/audio?format=ogg`}
          name="the whole call"
          lengthMs={session.data?.duration_ms}
        />
      )}
      {recorded && input.recording && datasetId && clips.length === 0 && !whole && !session.isLoading && (
        <RecordingSound
          url={blobUrl(datasetId, input.recording)}
          turn={input.kind === "turn" ? (input.turn ?? 0) : null}
        />
      )}
    </div>
  );
}
