/** Grey shapes where something is about to be: as many lines as will come. */
interface Props {
  lines?: number;
  height?: number;
  name: string;
}

export function Skeleton({ lines = 1, height, name }: Props) {
  return (
    <div className="stack" role="status" aria-busy="true" aria-label={`${name}: loading`}>
      {Array.from({ length: lines }, (_, line) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: lines have nothing else to be told apart by.
        <span key={line} className="skeleton" style={height ? { height } : undefined} />
      ))}
    </div>
  );
}
