/** A key's text, shown this once. */
import type { ReactNode } from "react";
import { CopyButton } from "../Copy";

export function SecretOnce({ text, children }: { text: string; children: ReactNode }) {
  return (
    <div className="notice secret-once" role="status" data-testid="new-secret">
      <p>{children}</p>
      <code className="secret" data-testid="secret">
        {text}
      </code>
      <CopyButton text={text} label="Copy the key" />
    </div>
  );
}
