/** Where toasts are shown, and read out. */
import { dismiss, useToasts } from "../lib/toasts";
import { Icon } from "./Icon";

export function Toasts() {
  const toasts = useToasts();
  return (
    <div className="toasts" role="status" aria-live="polite">
      {toasts.map(({ id, text, bad }) => (
        <div key={id} className={`toast ${bad ? "bad" : ""}`} data-testid="toast">
          <span className="grow">{text}</span>
          <button
            type="button"
            className="button icon quiet"
            aria-label="Dismiss"
            onClick={() => dismiss(id)}
          >
            <Icon name="cross" />
          </button>
        </div>
      ))}
    </div>
  );
}
