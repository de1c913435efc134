/** What people, code and judges say of the call: rated by keys while it plays, with the expected answer and comments. */
import { type FormEvent, type ReactNode, useState } from "react";
import { useScores } from "../../api/queries";
import type { Score, ScoreDraft, SessionDetail, Span } from "../../api/types";
import { scoreText } from "../../lib/call-marks";
import { clock } from "../../lib/format";
import { useKeys } from "../../lib/keys";
import { useIsAdmin, useMe } from "../../lib/me";
import type { Player } from "../../lib/player";
import { fields, soundOf, spanLabel } from "../../lib/trace";
import { usePlayerTime } from "../../lib/use-player";
import { Button } from "../Button";
import { Moment } from "../Moment";
import { Problem } from "../Problem";
import { Agree } from "./Agree";

const RATINGS = [1, 2, 3, 4, 5];
const RATING_WORDS = ["", "very bad", "bad", "so-so", "good", "very good"];
const EVIDENCE_MS = 2_000;

interface Props {
  session: SessionDetail;
  player: Player;
  span: Span | null;
  onSeek: (ms: number) => void;
}

/** What I said last under a name, of the call or of the span. */
function mine(scores: Score[], name: string, spanId: string | null, author: string): Score | undefined {
  return scores.findLast(
    (score) =>
      score.name === name && score.span_id === spanId && score.source === "human" && score.author === author,
  );
}

function evidenceOf(player: Player, span: Span | null): ScoreDraft["evidence"] {
  if (span) {
    const { startMs, endMs } = soundOf(span);
    return [{ span_id: span.id, start_ms: startMs, end_ms: endMs }];
  }
  const { loop } = player.state;
  return loop ? [{ span_id: null, start_ms: loop.fromMs, end_ms: loop.toMs }] : [];
}

function Ratings({ value, onRate }: { value: number | null | undefined; onRate: (value: number) => void }) {
  return (
    <fieldset className="ratings">
      <legend>How well did it go?</legend>
      {RATINGS.map((one) => (
        <button
          type="button"
          key={one}
          className="button"
          aria-pressed={value === one}
          title={`${RATING_WORDS[one]} (key ${one})`}
          data-testid={`rate-${one}`}
          onClick={() => onRate(one)}
        >
          {one}
        </button>
      ))}
      <span className="muted">{value ? RATING_WORDS[value] : "keys 1 to 5"}</span>
    </fieldset>
  );
}

function Verdict({ label, onJudge }: { label: string | null | undefined; onJudge: (label: string) => void }) {
  return (
    <fieldset className="ratings">
      <legend>Did it do its task?</legend>
      {["pass", "fail"].map((one) => (
        <button
          type="button"
          key={one}
          className={`button ${one}`}
          aria-pressed={label === one}
          title={`${one} (key ${one[0]})`}
          data-testid={`judge-${one}`}
          onClick={() => onJudge(one)}
        >
          {one}
        </button>
      ))}
      <span className="muted">{label ?? "keys p and f"}</span>
    </fieldset>
  );
}

interface TextProps {
  name: string;
  label: string;
  hint: string;
  initial: string;
  action: string;
  /** Emptied when it was sent. */
  clears: boolean;
  onSend: (text: string) => void;
}

function TextField({ name, label, hint, initial, action, clears, onSend }: TextProps) {
  const [text, setText] = useState(initial);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!text.trim() || (!clears && text === initial)) return;
    onSend(text.trim());
    if (clears) setText("");
  };
  return (
    <form className="field" onSubmit={submit}>
      <label htmlFor={`review-${name}`}>{label}</label>
      <textarea
        id={`review-${name}`}
        className="input"
        rows={2}
        placeholder={hint}
        value={text}
        data-testid={`review-${name}`}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit(event);
        }}
      />
      <div className="row">
        <Button submit disabled={!text.trim() || (!clears && text === initial)} data-testid={`send-${name}`}>
          {action}
        </Button>
        <span className="muted">Ctrl or ⌘ + Enter</span>
      </div>
    </form>
  );
}

function Item({
  score,
  spans,
  onSeek,
  onTake,
  agree,
}: {
  score: Score;
  spans: Span[];
  onSeek: (ms: number) => void;
  onTake: (() => void) | null;
  agree: ReactNode;
}) {
  const span = spans.find((one) => one.id === score.span_id);
  const [first] = score.evidence;
  const { expected } = score.details;
  const tone = score.label === "fail" ? "bad" : score.label === "pass" ? "good" : "";
  return (
    <li className="score" data-testid="score">
      <div className="meta">
        <strong>{score.name}</strong>
        {score.value !== null || score.label ? (
          <span className={`score-value ${tone}`}>{scoreText(score)}</span>
        ) : null}
        {first && (
          <button type="button" className="at" title="Seek to here" onClick={() => onSeek(first.start_ms)}>
            {clock(first.start_ms)}
          </button>
        )}
        {span && <span className="about">{spanLabel(span)}</span>}
        <span className="grow" />
        <span>
          {score.author} · {score.source} · <Moment at={score.created_at} />
        </span>
        {onTake && (
          <Button kind="quiet" icon="trash" aria-label={`Take back ${score.name}`} onClick={onTake} />
        )}
      </div>
      {score.comment && <p className="words">{score.comment}</p>}
      {typeof expected === "string" && (
        <p className="words">
          <span className="muted">expected: </span>
          {expected}
        </p>
      )}
      {agree}
    </li>
  );
}

function Scored({
  session,
  onSeek,
  onTake,
  onSay,
}: {
  session: SessionDetail;
  onSeek: (ms: number) => void;
  onTake: ((id: string) => void) | null;
  onSay: ((draft: ScoreDraft) => void) | null;
}) {
  const author = useMe()?.name ?? "";
  if (session.scores.length === 0) {
    return (
      <p className="muted padded">
        Nobody has said anything of this call yet. Code and judges can too:{" "}
        <code>POST /api/sessions/{session.id}/scores</code>
      </p>
    );
  }
  return (
    <ul className="scores" data-testid="scores">
      {session.scores.map((score) => (
        <Item
          key={score.id}
          score={score}
          spans={session.spans}
          onSeek={onSeek}
          onTake={onTake && (() => onTake(score.id))}
          agree={
            onSay && score.source !== "human" && score.value !== null ? (
              <Agree
                score={score}
                mine={mine(session.scores, score.name, score.span_id, author)}
                onSay={(draft) => onSay({ ...draft, replace: true })}
              />
            ) : null
          }
        />
      ))}
    </ul>
  );
}

function useReview({ session, player, span }: Props) {
  const { add, take } = useScores(session.id);
  const author = useMe()?.name ?? "";
  const spanId = span?.id ?? null;
  const said = (name: string) => mine(session.scores, name, spanId, author);
  const say = (draft: ScoreDraft) =>
    add.mutate({ span_id: spanId, evidence: evidenceOf(player, span) ?? [], replace: true, ...draft });
  return { add, take, said, say };
}

function Form(props: Props) {
  const { player, span } = props;
  const { add, said, say } = useReview(props);
  const rate = (value: number) => say({ name: "rating", value });
  const judge = (label: string) => say({ name: "verdict", label, value: label === "pass" ? 1 : 0 });
  const at = usePlayerTime(player, (ms) => clock(ms));
  useKeys("Scores", [
    ...RATINGS.map((one) => ({ key: String(one), what: RATING_WORDS[one] ?? "", act: () => rate(one) })),
    { key: "p", what: "Pass", act: () => judge("pass") },
    { key: "f", what: "Fail", act: () => judge("fail") },
  ]);
  const comment = (text: string) => {
    const ms = Math.round(player.timeMs);
    const here = { span_id: span?.id ?? null, start_ms: ms, end_ms: ms + EVIDENCE_MS };
    say({ name: "comment", comment: text, replace: false, evidence: [here] });
  };
  const expected = fields(said("expected")?.details).expected;
  return (
    <div className="review-form">
      <p className="muted">
        Of {span ? <strong>{spanLabel(span)}</strong> : <strong>the whole call</strong>}
        {span ? "" : "; choose a span to judge it alone"}
      </p>
      <Ratings value={said("rating")?.value} onRate={rate} />
      <Verdict label={said("verdict")?.label} onJudge={judge} />
      <TextField
        key={`expected-${span?.id}-${String(expected ?? "")}`}
        name="expected"
        label="Expected answer"
        hint="What it should have said or done"
        initial={typeof expected === "string" ? expected : ""}
        action="Save"
        clears={false}
        onSend={(text) => say({ name: "expected", details: { expected: text } })}
      />
      <TextField
        name="comment"
        label={`Comment at ${at}`}
        hint="What stands out here"
        initial=""
        action="Add"
        clears
        onSend={comment}
      />
      {add.error && <Problem error={add.error} />}
    </div>
  );
}

export function Review(props: Props) {
  const { session, onSeek } = props;
  const may = useIsAdmin();
  const { add, take } = useScores(session.id);
  return (
    <section className="panel review" aria-label="Scores and comments">
      <div className="panel-head">
        <h2>Scores and comments</h2>
      </div>
      {may ? <Form {...props} /> : <p className="muted padded">Your key may read scores, not add them.</p>}
      <Scored
        session={session}
        onSeek={onSeek}
        onTake={may ? (id) => take.mutate(id) : null}
        onSay={may ? (draft) => add.mutate(draft) : null}
      />
    </section>
  );
}
