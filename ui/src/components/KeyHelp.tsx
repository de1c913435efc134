/** All keys of the page that is open, behind `?`. */
import { useState } from "react";
import { useKeyGroups, useKeys } from "../lib/keys";
import { Button } from "./Button";
import { Dialog } from "./Dialog";

const NAMES: Record<string, string> = {
  Enter: "↵",
  ArrowDown: "↓",
  ArrowUp: "↑",
  " ": "space",
  Escape: "esc",
};

export function KeyHelp() {
  const [open, setOpen] = useState(false);
  const groups = useKeyGroups();
  useKeys("Everywhere", [{ key: "?", what: "This help", act: () => setOpen(true) }]);
  return (
    <>
      <Button kind="quiet" icon="keyboard" aria-label="Keyboard help (?)" onClick={() => setOpen(true)} />
      {open && (
        <Dialog title="Keyboard" onClose={() => setOpen(false)} wide>
          <div className="key-groups">
            {[...groups].reverse().map((group) => (
              <section key={group.name}>
                <h3>{group.name}</h3>
                <dl>
                  {group.keys.map(({ key, what }) => (
                    <div key={key}>
                      <dt>
                        {(key === " " ? [key] : key.split(" ")).map((part) => (
                          <kbd key={part}>{NAMES[part] ?? part}</kbd>
                        ))}
                      </dt>
                      <dd>{what}</dd>
                    </div>
                  ))}
                </dl>
              </section>
            ))}
          </div>
        </Dialog>
      )}
    </>
  );
}
