/** The pictures that a user showed or a request had made: as the event log has them, or in words where they cannot be shown. */
import { useState } from "react";
import type { Span } from "../../api/types";
import { bytes } from "../../lib/format";
import { imagesOf, type ShownImage } from "../../lib/images";
import { Icon } from "../Icon";

function Picture({ image, url, name }: { image: ShownImage; url: string | null; name: string }) {
  const [failed, setFailed] = useState(false);
  const kind = image.kind ?? "image";
  if (!url || failed) {
    return (
      <span className="pill" title="It is no picture that is shown here, or not in the event log any more">
        <Icon name="image" /> {kind} <span className="muted">{bytes(image.bytes)}</span>
      </span>
    );
  }
  return (
    <a href={url} target="_blank" rel="noreferrer" title={`${kind}, ${bytes(image.bytes)}`}>
      <img src={url} alt={name} loading="lazy" data-testid="picture" onError={() => setFailed(true)} />
    </a>
  );
}

export function Pictures({ sessionId, span }: { sessionId: string; span: Span }) {
  const images = imagesOf(span);
  if (images.length === 0) return null;
  return (
    <ul className="images">
      {images.map((image, n) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the same picture may be shown twice
        <li key={n}>
          <Picture
            image={image}
            url={image.digest && `/api/sessions/${encodeURIComponent(sessionId)}/images/${image.digest}`}
            name={`Picture ${n + 1} that ${span.type === "user" ? "the user showed" : "was made"}, opens alone`}
          />
        </li>
      ))}
    </ul>
  );
}
