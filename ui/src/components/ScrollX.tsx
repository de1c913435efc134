/** A table that may be wider than the page: it scrolls by itself, with the keys too. */
import type { ReactNode } from "react";

export function ScrollX({
  name,
  panel = false,
  children,
}: {
  name: string;
  panel?: boolean;
  children: ReactNode;
}) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys.
    <section className={panel ? "panel scroll-x" : "scroll-x"} aria-label={name} tabIndex={0}>
      {children}
    </section>
  );
}
