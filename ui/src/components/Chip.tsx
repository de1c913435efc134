/** A small thing that is named: a tag, or a part of a filter that can be taken away. */
import type { ReactNode } from "react";
import { Icon } from "./Icon";

interface Props {
  children: ReactNode;
  /** Given: the chip has a button that removes it. */
  onRemove?: () => void;
  /** What the button removes, for screen readers. */
  name?: string;
  title?: string;
}

export function Chip({ children, onRemove, name, title }: Props) {
  return (
    <span className={`chip ${onRemove ? "removable" : ""}`} title={title} data-testid="chip">
      <span className="chip-text">{children}</span>
      {onRemove && (
        <button type="button" aria-label={`Remove ${name ?? "it"}`} onClick={onRemove}>
          <Icon name="cross" />
        </button>
      )}
    </span>
  );
}
