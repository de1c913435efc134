/** A call from the browser, through the same gateway and protocol as any client's. */
import { type FormEvent, useEffect, useState } from "react";
import { Controls } from "../components/playground/Controls";
import { Recording } from "../components/playground/Recording";
import { Settings } from "../components/playground/Settings";
import { Transcript } from "../components/playground/Transcript";
import { usePageTitle } from "../lib/page-title";
import { useCall } from "../lib/use-call";
import type { CallSnapshot, VoiceCall } from "../realtime/call";
import type { CallSettings } from "../realtime/events";
import "../styles/playground.css";

const DEFAULTS: CallSettings = {
  model: "local",
  voice: "marin",
  instructions: "",
  mode: "hands-free",
  demoTool: true,
};

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest("input, textarea, select") !== null;
}

/** The space bar as the talk button; leaving the window lets go. */
function useSpaceToTalk(call: VoiceCall | null, active: boolean): void {
  useEffect(() => {
    if (!call || !active) return;
    const down = (event: KeyboardEvent) => {
      if (event.key !== " " || isTyping(event.target)) return;
      event.preventDefault();
      if (!event.repeat) call.hold();
    };
    const up = (event: KeyboardEvent) => {
      if (event.key === " ") call.release();
    };
    const blur = () => call.release();
    window.addEventListener("keydown", down);
    window.addEventListener("keyup", up);
    window.addEventListener("blur", blur);
    return () => {
      window.removeEventListener("keydown", down);
      window.removeEventListener("keyup", up);
      window.removeEventListener("blur", blur);
    };
  }, [call, active]);
}

function TextInput({ call, enabled }: { call: VoiceCall | null; enabled: boolean }) {
  const [text, setText] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!call || !text.trim()) return;
    void call.sendText(text.trim());
    setText("");
  };
  return (
    <form className="text-input" onSubmit={submit}>
      <input
        className="input"
        aria-label="Message"
        data-testid="text-input"
        placeholder={enabled ? "Or type, and press enter" : "Connect to talk or type"}
        disabled={!enabled}
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      <button type="submit" className="button" data-testid="send-text" disabled={!enabled || !text.trim()}>
        Send
      </button>
    </form>
  );
}

function hintFor(snapshot: CallSnapshot, settings: CallSettings): string {
  if (snapshot.phase === "idle") {
    return "Press Connect and allow the microphone. The call goes through this gateway with a temporary credential, and is recorded like any other.";
  }
  if (snapshot.phase === "connecting") return "Connecting…";
  if (snapshot.phase === "ended") return "Nothing was said in this call.";
  return settings.mode === "hands-free"
    ? "Say something. Try: “What is the weather in Oslo?” Speak over the answer to interrupt it."
    : "Hold the button, or the space bar, and say something.";
}

export function PlaygroundPage() {
  usePageTitle("Playground");
  const [settings, setSettings] = useState(DEFAULTS);
  const { call, snapshot, connect } = useCall();
  const live = snapshot.phase === "live";
  const busy = live || snapshot.phase === "connecting";
  useSpaceToTalk(call, live && settings.mode === "push-to-talk");
  const problem = snapshot.mic === "unavailable" ? snapshot.micText : "";
  return (
    <main id="main" className="page stack">
      <div className="page-head">
        <h1>Playground</h1>
        <span className="grow" />
        <Recording snapshot={snapshot} />
      </div>
      <div className="playground">
        <Settings settings={settings} onChange={setSettings} locked={busy} />
        <div className="stage">
          <Controls call={call} snapshot={snapshot} settings={settings} onConnect={() => connect(settings)} />
          {problem && (
            <p className="notice warning" role="alert">
              {problem}
            </p>
          )}
          {snapshot.closeText && (
            <p className={`notice ${snapshot.failed ? "error" : ""}`} role="status" data-testid="close-text">
              {snapshot.closeText}
            </p>
          )}
          <section className="panel talk-panel" aria-label="Conversation">
            <Transcript entries={snapshot.transcript.entries} hint={hintFor(snapshot, settings)} />
            <TextInput call={call} enabled={live} />
          </section>
        </div>
      </div>
    </main>
  );
}
