/** A button that makes a case of a call, or of one of its turns. */
import { useState } from "react";
import type { SessionDetail, Span } from "../../api/types";
import { useIsAdmin } from "../../lib/me";
import { fields } from "../../lib/trace";
import { Button } from "../Button";
import { AddToDataset } from "./AddToDataset";

/** The turn that a span is in; undefined for what is in none. */
export function turnOf(spans: readonly Span[], span: Span | null): Span | undefined {
  let at: Span | undefined = span ?? undefined;
  for (let depth = 0; at && at.type !== "turn" && depth < 8; depth += 1) {
    const parent: string | null = at.parent_id;
    at = spans.find((one) => one.id === parent);
  }
  return at?.type === "turn" ? at : undefined;
}

/** What a person last wrote down as the right answer of the turn, or of the whole call. */
export function correctionOf({ scores, spans }: SessionDetail, turn: Span | undefined): string | null {
  const own = (id: string | null) =>
    turn ? turnOf(spans, spans.find((one) => one.id === id) ?? null)?.id === turn.id : id === null;
  const found = scores.findLast((score) => score.name === "expected" && own(score.span_id));
  const { expected } = fields(found?.details);
  return typeof expected === "string" && expected ? expected : null;
}

interface Props {
  id: string;
  project: string | undefined;
  turn?: string | undefined;
  corrected?: string | null;
  label?: string;
}

export function SaveAsCase({ id, project, turn, corrected = null, label = "Save as case" }: Props) {
  const [open, setOpen] = useState(false);
  const isAdmin = useIsAdmin();
  if (!isAdmin) return null;
  return (
    <>
      <Button icon="bookmark" data-testid="save-as-case" onClick={() => setOpen(true)}>
        {label}
      </Button>
      {open && (
        <AddToDataset
          target={{ count: 1, ids: [id], filter: {} }}
          project={project}
          turn={turn}
          corrected={corrected}
          onClose={() => setOpen(false)}
        />
      )}
    </>
  );
}
