/** A session's status: a word, a colour and a shape. */
import type { SessionStatus } from "../api/types";

const TITLES: Record<SessionStatus, string> = {
  live: "The call is running",
  complete: "Ended normally; the recording is complete",
  interrupted: "The connection was lost; the recording goes up to the last message",
  failed: "Ended with an error",
};

export function Status({ status }: { status: SessionStatus }) {
  return (
    <span className={`status ${status}`} title={TITLES[status]} data-testid="status">
      {status}
    </span>
  );
}
