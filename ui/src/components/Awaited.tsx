/** What was asked of the server and is not there: grey shapes while it is on its way, or why it failed. */
import { Problem } from "./Problem";
import { Skeleton } from "./Skeleton";

interface Props {
  /** As the query library tells it. */
  of: { error: Error | null; isPending: boolean; refetch: () => unknown };
  name: string;
  lines: number;
  height: number;
}

export function Awaited({ of, name, lines, height }: Props) {
  if (of.error) return <Problem error={of.error} retry={() => void of.refetch()} />;
  return of.isPending ? <Skeleton name={name} lines={lines} height={height} /> : null;
}
