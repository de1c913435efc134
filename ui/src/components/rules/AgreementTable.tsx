/** Whether people agree with each scorer, and where they are furthest apart. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { agreementQuery } from "../../api/evaluations";
import type { Agreement } from "../../api/schema";
import { count, percent } from "../../lib/format";
import { Problem } from "../Problem";
import { ScrollX } from "../ScrollX";
import { TableHead } from "../TableHead";

const HEADINGS = ["Scorer", "Pairs", "Equal", "Kappa", "Mean difference", "Furthest apart"];
const SHOWN = 3;

const said = ({ label, value }: { label: string | null; value: number | null }) =>
  label ?? (value === null ? "–" : String(Number(value.toFixed(3))));

function Row({ row }: { row: Agreement }) {
  return (
    <tr data-testid="agreement-row">
      <td>
        <strong>{row.name}</strong>
        <small className="muted block">
          {row.source} · {row.author}
        </small>
      </td>
      <td data-label="Pairs" className="figure">
        {count(row.pairs)}
      </td>
      <td data-label="Equal" className="figure">
        {percent(row.equal)}
      </td>
      <td
        data-label="Kappa"
        className="figure"
        title={row.kappa_missing ?? "1: full agreement; 0: what chance gives"}
      >
        {row.kappa === null ? <span className="muted">–</span> : row.kappa.toFixed(2)}
      </td>
      <td data-label="Mean difference" className="figure">
        {row.mean_absolute_difference === null ? "–" : Number(row.mean_absolute_difference.toFixed(3))}
      </td>
      <td data-label="Furthest apart">
        {row.disagreements.slice(0, SHOWN).map((one) => (
          <Link
            key={`${one.session_id} ${one.span_id}`}
            className="block"
            to="/sessions/$id"
            params={{ id: one.session_id }}
            search={{ tab: "scores" }}
          >
            people {said(one.human)}, scorer {said(one.scorer)}
          </Link>
        ))}
        {row.disagreements.length === 0 && <span className="muted">nowhere</span>}
      </td>
    </tr>
  );
}

export function AgreementTable() {
  const list = useQuery(agreementQuery);
  if (list.error) return <Problem error={list.error} retry={() => void list.refetch()} />;
  const rows = list.data?.items ?? [];
  return (
    <section className="stack" aria-label="Agreement" aria-busy={list.isPending} data-testid="agreement">
      <h2>Do people agree with the scorers?</h2>
      {list.data && rows.length === 0 && (
        <p className="muted">
          Nothing to compare yet. Where a person scores a call under the same name as a scorer (on its page,
          under Scores), the two stand beside each other here.
        </p>
      )}
      {rows.length > 0 && (
        <ScrollX name="Agreement, scrolling" panel>
          <table className="table rules cards" aria-label="Agreement">
            <TableHead headings={HEADINGS} figures={["Pairs", "Equal", "Kappa", "Mean difference"]} />
            <tbody>
              {rows.map((row) => (
                <Row key={`${row.name} ${row.source} ${row.author}`} row={row} />
              ))}
            </tbody>
          </table>
        </ScrollX>
      )}
    </section>
  );
}
