/** React's view of the playground's stage: one at a time, hung up when the page is left. */
import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { type CallSnapshot, IDLE, type VoiceCall } from "../realtime/call";
import { browserDevices } from "../realtime/devices";
import type { CallSettings, TalkMode } from "../realtime/settings";
import type { SoundFile } from "../realtime/sound-file";
import { OFF, Stage, type StageSnapshot } from "../realtime/stage";

const noSubscription = () => () => {};
const idle = () => IDLE;
const off = () => OFF;

export interface Connect {
  settings: readonly CallSettings[];
  mode: TalkMode;
  file: SoundFile | null;
  /** The one that the signed-in key is bound to. */
  project: string | null;
}

export function useStage(): {
  stage: Stage | null;
  snapshot: StageSnapshot;
  connect: (wanted: Connect) => void;
} {
  const [stage, setStage] = useState<Stage | null>(null);
  const latest = useRef<Stage | null>(null);
  const snapshot = useSyncExternalStore(stage?.subscribe ?? noSubscription, stage?.getSnapshot ?? off);
  const connect = useCallback(({ settings, mode, file, project }: Connect) => {
    latest.current?.hangUp();
    const made = new Stage(settings, mode, file, browserDevices(project));
    latest.current = made;
    setStage(made);
    void made.connect();
  }, []);
  useEffect(() => () => latest.current?.hangUp(), []);
  return { stage, snapshot, connect };
}

export function useCall(call: VoiceCall | null): CallSnapshot {
  return useSyncExternalStore(call?.subscribe ?? noSubscription, call?.getSnapshot ?? idle);
}
