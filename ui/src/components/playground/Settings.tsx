/** What a call will be like: chosen before it, shown locked while it runs. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { modelsQuery } from "../../api/queries";
import { useIsAdmin } from "../../lib/me";
import { type CallSettings, FORMATS, type TalkMode, VOICES, type WireFormat } from "../../realtime/settings";
import { Tools } from "./Tools";
import { Turns } from "./Turns";

interface Props {
  settings: CallSettings;
  onChange: (settings: CallSettings) => void;
  mode: TalkMode;
  onMode: (mode: TalkMode) => void;
  locked: boolean;
}

const MODES: [TalkMode, string, string][] = [
  ["hands-free", "Hands-free", "The provider hears when you stop speaking; speak over it to interrupt"],
  ["push-to-talk", "Push to talk", "Hold the button, or the space bar, while you speak"],
];

type Part = Pick<Props, "settings" | "onChange">;

function ModelSelect({ settings, onChange }: Part) {
  const models = useQuery(modelsQuery);
  const isAdmin = useIsAdmin();
  const items = models.data?.items ?? [];
  const known = items.some((model) => model.id === settings.model);
  return (
    <div className="field">
      <label htmlFor="playground-model">Model</label>
      <select
        id="playground-model"
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
      {models.data && !known && <small className="warn">No provider with a key serves this model now.</small>}
      {models.data && items.length < 2 && (
        <small className="muted">
          Other models show up when their provider has a key.{" "}
          {isAdmin && <Link to="/providers">See providers</Link>}
        </small>
      )}
    </div>
  );
}

export function ModeChoice({ mode, onMode }: Pick<Props, "mode" | "onMode">) {
  return (
    <div className="field" role="radiogroup" aria-label="Turns">
      <span>Turns</span>
      <div className="modes">
        {MODES.map(([value, label, title]) => (
          <label key={value} title={title} className={mode === value ? "chosen" : ""}>
            <input
              type="radio"
              name="mode"
              data-testid={`mode-${value}`}
              checked={mode === value}
              onChange={() => onMode(value)}
            />
            {label}
          </label>
        ))}
      </div>
    </div>
  );
}

function FormatSelect({ settings, onChange, side }: Part & { side: "inputFormat" | "outputFormat" }) {
  return (
    <label className="field">
      <span>{side === "inputFormat" ? "You send" : "You hear"}</span>
      <select
        className="input"
        data-testid={side}
        value={settings[side]}
        onChange={(event) => onChange({ ...settings, [side]: event.target.value as WireFormat })}
      >
        {Object.entries(FORMATS).map(([value, label]) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </select>
    </label>
  );
}

function Sound({ settings, onChange }: Part) {
  return (
    <details className="more">
      <summary>Formats and transcription</summary>
      <div className="more-body">
        <FormatSelect settings={settings} onChange={onChange} side="inputFormat" />
        <FormatSelect settings={settings} onChange={onChange} side="outputFormat" />
        <label className="field">
          <span>Your words are written down by</span>
          <input
            className="input"
            data-testid="transcription"
            placeholder="nobody: the transcript shows no words of yours"
            value={settings.transcription}
            onChange={(event) => onChange({ ...settings, transcription: event.target.value.trim() })}
          />
        </label>
      </div>
    </details>
  );
}

export function Settings({ settings, onChange, mode, onMode, locked }: Props) {
  const set = (change: Partial<CallSettings>) => onChange({ ...settings, ...change });
  return (
    <fieldset className="settings" disabled={locked}>
      <legend className="visually-hidden">Settings of the call</legend>
      <ModelSelect settings={settings} onChange={onChange} />
      <label className="field">
        <span>Voice</span>
        <select
          className="input"
          data-testid="voice"
          value={settings.voice}
          onChange={(event) => set({ voice: event.target.value })}
        >
          {VOICES.map((voice) => (
            <option key={voice}>{voice}</option>
          ))}
        </select>
      </label>
      <label className="field">
        <span>Instructions</span>
        <textarea
          className="input"
          rows={4}
          data-testid="instructions"
          placeholder="The model's own, if empty"
          value={settings.instructions}
          onChange={(event) => set({ instructions: event.target.value })}
        />
      </label>
      <ModeChoice mode={mode} onMode={onMode} />
      {mode === "hands-free" && <Turns turns={settings.turns} onChange={(turns) => set({ turns })} />}
      <Tools settings={settings} onChange={onChange} />
      <Sound settings={settings} onChange={onChange} />
      {locked && <small className="muted">Hang up to change the settings.</small>}
    </fieldset>
  );
}
