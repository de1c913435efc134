/** The tools of a call: definitions as JSON, checked while they are typed, and the results that the page answers with. */
import { useState } from "react";
import type { CallSettings } from "../../realtime/settings";
import { toolsOf } from "../../realtime/settings";
import { duplicate, NEW_TOOL, parseTool, type ToolDraft } from "../../realtime/tools";
import { Button } from "../Button";

interface Props {
  settings: CallSettings;
  onChange: (settings: CallSettings) => void;
}

interface EditorProps {
  draft: ToolDraft;
  onChange: (draft: ToolDraft) => void;
  onRemove: () => void;
}

function Validity({ draft }: { draft: ToolDraft }) {
  const { problem } = parseTool(draft);
  return (
    <small className={problem ? "bad" : "good"} data-testid="tool-validity" role="status">
      {problem ?? "Valid"}
    </small>
  );
}

function ToolEditor({ draft, onChange, onRemove }: EditorProps) {
  const { tool, problem } = parseTool(draft);
  // A new one is open, and stays as it is left whatever is typed.
  const [open, setOpen] = useState(draft.definition === NEW_TOOL.definition);
  const name = tool?.name ?? "tool with a mistake";
  return (
    <details
      className="tool-editor"
      data-testid="tool-editor"
      open={open}
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary>
        <code>{name}</code>
        <Validity draft={draft} />
      </summary>
      <div className="more-body">
        <label className="field">
          <span>Definition (JSON)</span>
          <textarea
            className="input mono"
            rows={9}
            spellCheck={false}
            data-testid="tool-definition"
            aria-invalid={problem !== null}
            value={draft.definition}
            onChange={(event) => onChange({ ...draft, definition: event.target.value })}
          />
        </label>
        <label className="field">
          <span>
            The page answers (<code>{"{{name}}"}</code> is an argument)
          </span>
          <textarea
            className="input mono"
            rows={2}
            spellCheck={false}
            data-testid="tool-result"
            value={draft.result}
            onChange={(event) => onChange({ ...draft, result: event.target.value })}
          />
        </label>
        <div className="row">
          <Button icon="trash" onClick={onRemove}>
            Remove
          </Button>
        </div>
      </div>
    </details>
  );
}

export function Tools({ settings, onChange }: Props) {
  const set = (tools: ToolDraft[]) => onChange({ ...settings, tools });
  const twice = duplicate(toolsOf(settings));
  const add = () => {
    const names = settings.tools.map((draft) => draft.id);
    let number = settings.tools.length + 1;
    while (names.includes(`tool-${number}`)) number += 1;
    set([...settings.tools, { id: `tool-${number}`, ...NEW_TOOL }]);
  };
  return (
    <section className="field" aria-label="Tools">
      <span>Tools</span>
      <label className="check">
        <input
          type="checkbox"
          data-testid="demo-tool"
          checked={settings.demoTool}
          onChange={(event) => onChange({ ...settings, demoTool: event.target.checked })}
        />
        <span>
          <code>get_weather</code>, with invented weather. Ask for the weather in Oslo.
        </span>
      </label>
      {settings.tools.map((draft) => (
        <ToolEditor
          key={draft.id}
          draft={draft}
          onChange={(changed) => set(settings.tools.map((one) => (one.id === draft.id ? changed : one)))}
          onRemove={() => set(settings.tools.filter((one) => one.id !== draft.id))}
        />
      ))}
      {twice && <small className="bad">Two tools are called {twice}. Rename one.</small>}
      <div className="row">
        <Button icon="plus" data-testid="add-tool" onClick={add}>
          Add a tool
        </Button>
      </div>
    </section>
  );
}
