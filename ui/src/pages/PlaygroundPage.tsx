/** A call from the browser, or two side by side, through the same gateway and protocol as any client's. */
import { useEffect, useState } from "react";
import { Button } from "../components/Button";
import { Composer } from "../components/playground/Composer";
import { Controls } from "../components/playground/Controls";
import { OpenAsCode } from "../components/playground/OpenAsCode";
import { Settings } from "../components/playground/Settings";
import { Side } from "../components/playground/Side";
import { Tabs } from "../components/Tabs";
import { useMe } from "../lib/me";
import { usePageTitle } from "../lib/page-title";
import { useCall, useStage } from "../lib/use-stage";
import type { Phase } from "../realtime/call";
import { type CallSettings, restored, type TalkMode } from "../realtime/settings";
import type { SoundFile } from "../realtime/sound-file";
import "../styles/playground.css";
import "../styles/playground-call.css";

const KEPT = ["voxgate-playground", "voxgate-playground-b"] as const;
/** There while two are compared. */
const COMPARES = "voxgate-playground-compares";
const LETTERS = [
  { id: "A", label: "A" },
  { id: "B", label: "B" },
] as const;
type Letter = (typeof LETTERS)[number]["id"];

function stored(name: string): string | null {
  try {
    return localStorage.getItem(name);
  } catch {
    return null; // storage is blocked
  }
}

const kept = () => restored(stored(KEPT[0]));

/** B as it was the last time, or as A is. */
function second(a: CallSettings): CallSettings {
  const text = stored(KEPT[1]);
  return text ? restored(text) : a;
}

function keep(all: readonly CallSettings[]): void {
  try {
    all.forEach((one, at) => {
      localStorage.setItem(KEPT[at] ?? KEPT[0], JSON.stringify(one));
    });
    if (all.length === 2) localStorage.setItem(COMPARES, "1");
    else localStorage.removeItem(COMPARES);
  } catch {
    // Storage is blocked: they last until the page is left.
  }
}

/** The settings of A, and of B where two are compared; both are there again at the next visit. */
function useSettings() {
  const [all, setAll] = useState<readonly CallSettings[]>(() => {
    const a = kept();
    return stored(COMPARES) ? [a, second(a)] : [a];
  });
  useEffect(() => keep(all), [all]);
  const change = (at: number, settings: CallSettings) =>
    setAll((before) => before.map((one, index) => (index === at ? settings : one)));
  const compare = () => setAll(([a]) => (a ? [a, second(a)] : []));
  const single = () => setAll((before) => before.slice(0, 1));
  return { all, change, compare, single };
}

function hintFor(phase: Phase, mode: TalkMode): string {
  if (phase === "idle") {
    return "Press Connect and allow the microphone. The call goes through this gateway with a temporary credential, and is recorded like any other.";
  }
  if (phase === "connecting") return "Connecting…";
  if (phase === "ended") return "Nothing was said in this call.";
  return mode === "hands-free"
    ? "Say something. Try: “What is the weather in Oslo?” Speak over the answer to interrupt it."
    : "Hold the button, or the space bar, and say something.";
}

/** Connected while any call is; ended when all are. */
function together(phases: readonly Phase[]): Phase {
  const order: Phase[] = ["live", "connecting", "ended"];
  return order.find((phase) => phases.includes(phase)) ?? "idle";
}

export function PlaygroundPage() {
  usePageTitle("Playground");
  const me = useMe();
  const { all, change, compare, single } = useSettings();
  const [mode, setMode] = useState<TalkMode>("hands-free");
  const [file, setFile] = useState<SoundFile | null>(null);
  const [editing, setEditing] = useState<Letter>("A");
  const { stage, snapshot, connect } = useStage();
  const a = useCall(stage?.calls[0] ?? null);
  const b = useCall(stage?.calls[1] ?? null);
  const phase = together(stage?.calls.length === 2 ? [a.phase, b.phase] : [a.phase]);
  const busy = phase === "live" || phase === "connecting";
  const two = all.length === 2;
  const at = two && editing === "B" ? 1 : 0;
  const settings = all[at] ?? kept();
  const start = () => connect({ settings: all, mode, file, project: me?.project ?? null });
  return (
    <main id="main" className="page stack">
      <div className="page-head">
        <h1>Playground</h1>
        <span className="grow" />
        <Button
          icon="aside"
          data-testid="compare"
          aria-pressed={two}
          disabled={busy}
          onClick={two ? single : compare}
        >
          {two ? "Only A" : "Compare two"}
        </Button>
        <OpenAsCode settings={settings} mode={mode} />
      </div>
      <div className="playground">
        <div className="panel settings-panel">
          {two && <Tabs tabs={LETTERS} selected={editing} onSelect={setEditing} label="Settings of" />}
          <Settings
            key={at}
            settings={settings}
            onChange={(changed) => change(at, changed)}
            mode={mode}
            onMode={setMode}
            locked={busy}
          />
        </div>
        <div className="stage">
          <Controls
            stage={stage}
            snapshot={snapshot}
            call={a}
            phase={phase}
            mode={mode}
            file={file}
            onFile={setFile}
            onConnect={start}
          />
          {snapshot.input === "unavailable" && (
            <p className="notice warning" role="alert">
              {snapshot.inputText}
            </p>
          )}
          <div className={`sides ${two ? "two" : ""}`}>
            {all.map((one, index) => (
              <Side
                // biome-ignore lint/suspicious/noArrayIndexKey: A and B are places, and stay where they are.
                key={index}
                call={stage?.calls[index] ?? null}
                settings={one}
                letter={two ? (index === 0 ? "A" : "B") : null}
                hint={hintFor((index === 0 ? a : b).phase, mode)}
              />
            ))}
          </div>
          <Composer stage={stage} enabled={phase === "live"} />
        </div>
      </div>
    </main>
  );
}
