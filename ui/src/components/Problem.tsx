/** A failure, in words, with what to do about it. */
import { ApiError } from "../api/client";

export function Problem({ error, retry }: { error: Error; retry?: () => void }) {
  const advice = error instanceof ApiError ? error.advice : "";
  return (
    <div className="notice error" role="alert">
      <span className="grow">
        <strong>{error.message}</strong> {advice}
      </span>
      {retry && (
        <button type="button" className="button" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}
