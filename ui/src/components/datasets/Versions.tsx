/** Every version of a data set with what changed in it; one is looked at. */
import { useInfiniteQuery } from "@tanstack/react-query";
import { versionsQuery } from "../../api/evaluations";
import type { DatasetVersion } from "../../api/schema";
import { plural } from "../../lib/format";
import { Button } from "../Button";
import { Moment } from "../Moment";
import { Problem } from "../Problem";
import { Skeleton } from "../Skeleton";

function changes({ added, changed, deleted }: DatasetVersion): string {
  const parts = [
    added > 0 && `${added} added`,
    changed > 0 && `${changed} changed`,
    deleted > 0 && `${deleted} taken out`,
  ];
  return parts.filter(Boolean).join(", ") || "nothing changed";
}

interface Props {
  id: string;
  shown: number;
  onShow: (version: number) => void;
}

export function Versions({ id, shown, onShow }: Props) {
  const list = useInfiniteQuery(versionsQuery(id));
  if (list.error) return <Problem error={list.error} retry={() => void list.refetch()} />;
  if (!list.data) return <Skeleton name="Versions" lines={3} height={28} />;
  return (
    <section className="panel versions" aria-label="Versions">
      <div className="panel-head">
        <h2>Versions</h2>
      </div>
      <ol>
        {list.data.pages
          .flatMap((page) => page.items)
          .map((one) => (
            <li key={one.version}>
              <button
                type="button"
                aria-current={one.version === shown || undefined}
                data-testid="version"
                onClick={() => onShow(one.version)}
              >
                <strong>{one.version}</strong>
                <span>{changes(one)}</span>
                <span className="muted">
                  {plural(one.cases, "case")} · {one.created_by} · <Moment at={one.created_at} />
                </span>
              </button>
            </li>
          ))}
      </ol>
      {list.hasNextPage && (
        <Button disabled={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
          Show older ones
        </Button>
      )}
    </section>
  );
}
