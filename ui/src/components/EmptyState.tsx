/** Nothing there yet: what would be here, and the next step, with a command to copy where there is one. */
import type { ReactNode } from "react";
import { Snippet } from "./Copy";

interface Props {
  title: string;
  children: ReactNode;
  command?: string;
  /** Buttons or links to the next step. */
  actions?: ReactNode;
}

export function EmptyState({ title, children, command, actions }: Props) {
  return (
    <section className="panel empty" data-testid="empty">
      <h2>{title}</h2>
      <div className="muted">{children}</div>
      {actions && <div className="actions">{actions}</div>}
      {command && <Snippet name={title} code={command} />}
    </section>
  );
}
