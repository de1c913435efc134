/** What I say to a scorer's score: the same, or another value under the same name, so that the two can be compared. */
import { type FormEvent, useState } from "react";
import type { Score, ScoreDraft } from "../../api/types";
import { scoreText } from "../../lib/call-marks";
import { Button } from "../Button";

interface Props {
  score: Score;
  /** What I have said of it. */
  mine: Score | undefined;
  onSay: (draft: ScoreDraft) => void;
}

export function Agree({ score, mine, onSay }: Props) {
  const [text, setText] = useState("");
  const { name, value, label, span_id } = score;
  const same = mine && mine.value === value && mine.label === label;
  const own = text.trim() === "" ? Number.NaN : Number(text);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!Number.isFinite(own)) return;
    onSay({ name, span_id, value: own });
    setText("");
  };
  return (
    <form className="row agree" onSubmit={submit}>
      <button
        type="button"
        className="button small"
        aria-pressed={same ?? false}
        data-testid={`agree-${name}`}
        onClick={() => onSay({ name, span_id, value, label })}
      >
        Agree
      </button>
      <input
        className="input"
        inputMode="decimal"
        aria-label={`My value of ${name}`}
        placeholder={mine ? `mine: ${scoreText(mine)}` : "or my value"}
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      <Button submit disabled={!Number.isFinite(own)}>
        Say
      </Button>
    </form>
  );
}
