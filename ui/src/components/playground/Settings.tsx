/** What the call will be like: chosen before it, shown locked while it runs. */
import { useQuery } from "@tanstack/react-query";
import { modelsQuery } from "../../api/queries";
import { type CallSettings, type TalkMode, VOICES } from "../../realtime/events";

interface Props {
  settings: CallSettings;
  onChange: (settings: CallSettings) => void;
  locked: boolean;
}

const MODES: [TalkMode, string, string][] = [
  ["hands-free", "Hands-free", "The provider hears when you stop speaking; speak over it to interrupt"],
  ["push-to-talk", "Push to talk", "Hold the button, or the space bar, while you speak"],
];

function ModelSelect({ settings, onChange }: Omit<Props, "locked">) {
  const models = useQuery(modelsQuery);
  const items = models.data?.items ?? [];
  const known = items.some((model) => model.id === settings.model);
  return (
    <label className="field">
      <span>Model</span>
      <select
        className="input"
        data-testid="model"
        value={settings.model}
        onChange={(event) => onChange({ ...settings, model: event.target.value })}
      >
        {!known && <option value={settings.model}>{settings.model}</option>}
        {items.map((model) => (
          <option key={`${model.provider}/${model.id}`} value={model.id}>
            {model.id === model.provider ? model.id : `${model.id} · ${model.provider}`}
          </option>
        ))}
      </select>
      {models.error && <small className="bad">{models.error.message}</small>}
    </label>
  );
}

function ModeChoice({ settings, onChange }: Omit<Props, "locked">) {
  return (
    <div className="field" role="radiogroup" aria-label="Turns">
      <span>Turns</span>
      <div className="modes">
        {MODES.map(([mode, label, title]) => (
          <label key={mode} title={title} className={settings.mode === mode ? "chosen" : ""}>
            <input
              type="radio"
              name="mode"
              data-testid={`mode-${mode}`}
              checked={settings.mode === mode}
              onChange={() => onChange({ ...settings, mode })}
            />
            {label}
          </label>
        ))}
      </div>
    </div>
  );
}

export function Settings({ settings, onChange, locked }: Props) {
  return (
    <fieldset className="panel settings" disabled={locked}>
      <legend className="visually-hidden">Settings of the call</legend>
      <ModelSelect settings={settings} onChange={onChange} />
      <label className="field">
        <span>Voice</span>
        <select
          className="input"
          data-testid="voice"
          value={settings.voice}
          onChange={(event) => onChange({ ...settings, voice: event.target.value })}
        >
          {VOICES.map((voice) => (
            <option key={voice}>{voice}</option>
          ))}
        </select>
      </label>
      <ModeChoice settings={settings} onChange={onChange} />
      <label className="field">
        <span>Instructions</span>
        <textarea
          className="input"
          rows={4}
          data-testid="instructions"
          placeholder="The model's own, if empty"
          value={settings.instructions}
          onChange={(event) => onChange({ ...settings, instructions: event.target.value })}
        />
      </label>
      <label className="check">
        <input
          type="checkbox"
          data-testid="demo-tool"
          checked={settings.demoTool}
          onChange={(event) => onChange({ ...settings, demoTool: event.target.checked })}
        />
        <span>
          Offer the tool <code>get_weather</code>
          <small className="muted">
            {" "}
            This page answers it, with invented weather. Ask for the weather in Oslo.
          </small>
        </span>
      </label>
      {locked && <small className="muted">Hang up to change the settings.</small>}
    </fieldset>
  );
}
