/** The session that is set up on the page as programs to copy. */
import { useState } from "react";
import { type Language, snippets, subjectOf } from "../../code/snippets";
import { useMe } from "../../lib/me";
import type { CallSettings, TalkMode } from "../../realtime/settings";
import { Button } from "../Button";
import { Snippet } from "../Copy";
import { Dialog } from "../Dialog";
import { Tabs } from "../Tabs";

export function OpenAsCode({ settings, mode }: { settings: CallSettings; mode: TalkMode }) {
  const [open, setOpen] = useState(false);
  const [language, setLanguage] = useState<Language>("python");
  const project = useMe()?.project ?? "playground";
  const all = open ? snippets(subjectOf(settings, mode, window.location.origin, project)) : [];
  const shown = all.find((one) => one.language === language);
  return (
    <>
      <Button icon="code" data-testid="open-as-code" onClick={() => setOpen(true)}>
        Open as code
      </Button>
      {open && (
        <Dialog title="This session as code" onClose={() => setOpen(false)} wide>
          <p className="muted">
            Each makes a temporary credential with an API key of the role <code>mint</code> and opens the same
            session.
          </p>
          <Tabs
            tabs={all.map((one) => ({ id: one.language, label: one.label }))}
            selected={language}
            onSelect={setLanguage}
            label="Language"
          />
          {shown && (
            <div className="code-shown" data-testid={`code-${shown.language}`}>
              <p>
                <code>{shown.file}</code> <span className="muted">{shown.how}</span>
              </p>
              <Snippet name={`${shown.label} program`} code={shown.code} />
            </div>
          )}
        </Dialog>
      )}
    </>
  );
}
