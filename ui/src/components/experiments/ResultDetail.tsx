/** One case of an experiment: what went in, what came out in each trial, what it is worth, and how it sounded. */
import { useState } from "react";
import type { Case, Result } from "../../api/schema";
import { expectedText, inputText, KINDS } from "../../lib/cases";
import { duration } from "../../lib/format";
import { Button } from "../Button";
import { CaseSound } from "../datasets/CaseSound";
import { JsonTree } from "../session/JsonTree";
import { Tabs } from "../Tabs";
import { Beside } from "./Beside";
import type { Heard } from "./CallLanes";
import { ResultScores } from "./ResultScores";

interface Props {
  id: string;
  one: Case | null;
  datasetId: string | null;
  results: readonly Result[];
  /** Of the same case in the experiment that it is compared with. */
  before: readonly Result[];
  names: { before: string; after: string };
  onClose: () => void;
}

function Output({ result }: { result: Result }) {
  const { output, error } = result;
  return (
    <>
      {error && (
        <p className="notice error" role="alert">
          {error}
        </p>
      )}
      {output?.text && <p className="case-input">{output.text}</p>}
      {output?.tool_calls?.map((call, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the same call may be made twice
        <div className="case-part" key={at}>
          <JsonTree value={{ [call.name]: call.arguments, result: call.result ?? null }} label={call.name} />
        </div>
      ))}
      {output && Object.keys(output.metadata ?? {}).length > 0 && (
        <details className="case-part">
          <summary>What the task says beside</summary>
          <JsonTree value={output.metadata} label="Task" />
        </details>
      )}
      {result.duration_ms != null && <p className="muted">took {duration(result.duration_ms)}</p>}
    </>
  );
}

function Input({ one, datasetId }: Pick<Props, "one" | "datasetId">) {
  if (!one) return <p className="muted">The case itself is not there any more: its data set was deleted.</p>;
  const expected = expectedText(one);
  return (
    <>
      <p className="case-input">{inputText(one)}</p>
      <CaseSound datasetId={datasetId} one={one} />
      <p className={expected ? "" : "muted"}>
        {expected ? `Expected: ${expected}` : "Nothing was expected."}
      </p>
    </>
  );
}

export function ResultDetail({ id, one, datasetId, results, before, names, onClose }: Props) {
  const [trial, setTrial] = useState("0");
  const [heard, setHeard] = useState<Heard | null>(null);
  const result = results[Number(trial)] ?? results[0];
  const other = before.find((each) => each.trial === result?.trial) ?? before[0];
  const calls = [
    ...(other ? [{ name: names.before, result: other, scored: other.scores }] : []),
    ...(result ? [{ name: names.after, result, scored: result.scores }] : []),
  ];
  const seek = heard
    ? (ms: number) => {
        heard.player.seek(ms);
        void heard.player.play();
      }
    : null;
  return (
    <section className="panel case-detail" aria-label="Result" data-testid="result-detail">
      <div className="panel-head">
        <h2 className="grow ellipsis" title={id}>
          {one ? KINDS[one.input.kind] : id}
        </h2>
        <Button kind="quiet" onClick={onClose}>
          Close
        </Button>
      </div>
      <div className="stack padded">
        <Input one={one} datasetId={datasetId} />
        {results.length > 1 && (
          <Tabs
            tabs={results.map((each, at) => ({ id: String(at), label: `Trial ${each.trial + 1}` }))}
            selected={trial}
            onSelect={setTrial}
            label="Trials"
          />
        )}
        {!result && <p className="muted">This case has not run yet.</p>}
        {result && (
          <>
            <h3>What came out</h3>
            <Output result={result} />
            {other?.output?.text && (
              <p className="muted">
                {names.before}: {other.output.text}
              </p>
            )}
            <h3>Scores</h3>
            <ResultScores scores={result.scores ?? []} before={other?.scores ?? undefined} onSeek={seek} />
            <Beside key={`${id} ${trial}`} calls={calls} onHeard={setHeard} />
          </>
        )}
      </div>
    </section>
  );
}
