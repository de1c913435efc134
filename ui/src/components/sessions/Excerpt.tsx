/** Where the words of the filter are: plain text, whatever it looks like, with what was found marked. */
import type { Excerpt as Found } from "../../api/types";

export function Excerpt({ excerpt }: { excerpt: Found }) {
  return (
    <span className={`excerpt ${excerpt.speaker}`} data-testid="excerpt">
      <span className="excerpt-who">{excerpt.speaker}</span>{" "}
      {excerpt.parts.map((part, at) =>
        part.hit ? (
          // biome-ignore lint/suspicious/noArrayIndexKey: parts have nothing else to be told apart by.
          <mark key={at}>{part.text}</mark>
        ) : (
          part.text
        ),
      )}
    </span>
  );
}
