/** Who decides when the user has finished, and how patiently: the session's turn detection. */
import type { Eagerness, TurnSettings, VadType } from "../../realtime/settings";

interface Props {
  turns: TurnSettings;
  onChange: (turns: TurnSettings) => void;
}

const EAGERNESS: Record<Eagerness, string> = {
  auto: "auto",
  low: "low: lets people think",
  medium: "medium",
  high: "high: answers soon",
};

interface RangeProps {
  label: string;
  value: number;
  shown: string;
  min: number;
  max: number;
  step: number;
  testId: string;
  onChange: (value: number) => void;
}

function Range({ label, value, shown, testId, onChange, ...limits }: RangeProps) {
  return (
    <label className="field range">
      <span>
        {label} <output>{shown}</output>
      </span>
      <input
        type="range"
        data-testid={testId}
        {...limits}
        value={value}
        onChange={(event) => onChange(Number(event.target.value))}
      />
    </label>
  );
}

function ServerVad({ turns, onChange }: Props) {
  return (
    <>
      <Range
        label="Ends after a silence of"
        shown={`${turns.silenceMs} ms`}
        value={turns.silenceMs}
        min={100}
        max={2000}
        step={50}
        testId="silence"
        onChange={(silenceMs) => onChange({ ...turns, silenceMs })}
      />
      <Range
        label="Threshold for speech"
        shown={turns.threshold.toFixed(2)}
        value={turns.threshold}
        min={0}
        max={1}
        step={0.05}
        testId="threshold"
        onChange={(threshold) => onChange({ ...turns, threshold })}
      />
      <Range
        label="Taken along from before"
        shown={`${turns.prefixPaddingMs} ms`}
        value={turns.prefixPaddingMs}
        min={0}
        max={1000}
        step={50}
        testId="prefix-padding"
        onChange={(prefixPaddingMs) => onChange({ ...turns, prefixPaddingMs })}
      />
    </>
  );
}

export function Turns({ turns, onChange }: Props) {
  return (
    <details className="more">
      <summary>
        Turn detection <small className="muted">{turns.type}</small>
      </summary>
      <div className="more-body">
        <label className="field">
          <span>By</span>
          <select
            className="input"
            data-testid="vad"
            value={turns.type}
            onChange={(event) => onChange({ ...turns, type: event.target.value as VadType })}
          >
            <option value="server_vad">silence (server_vad)</option>
            <option value="semantic_vad">meaning (semantic_vad)</option>
          </select>
        </label>
        {turns.type === "server_vad" ? (
          <ServerVad turns={turns} onChange={onChange} />
        ) : (
          <label className="field">
            <span>Eagerness</span>
            <select
              className="input"
              data-testid="eagerness"
              value={turns.eagerness}
              onChange={(event) => onChange({ ...turns, eagerness: event.target.value as Eagerness })}
            >
              {Object.entries(EAGERNESS).map(([value, label]) => (
                <option key={value} value={value}>
                  {label}
                </option>
              ))}
            </select>
          </label>
        )}
        <label className="check">
          <input
            type="checkbox"
            checked={turns.interrupts}
            onChange={(event) => onChange({ ...turns, interrupts: event.target.checked })}
          />
          <span>Speech over the answer ends it</span>
        </label>
      </div>
    </details>
  );
}
