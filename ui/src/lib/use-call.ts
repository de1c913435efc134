/** React's view of the playground's call: one at a time, hung up when the page is left. */
import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { type CallSnapshot, IDLE, VoiceCall } from "../realtime/call";
import { browserDevices } from "../realtime/devices";
import type { CallSettings } from "../realtime/events";

const noSubscription = () => () => {};
const idle = () => IDLE;

export function useCall(): {
  call: VoiceCall | null;
  snapshot: CallSnapshot;
  connect: (settings: CallSettings) => void;
} {
  const [call, setCall] = useState<VoiceCall | null>(null);
  const latest = useRef<VoiceCall | null>(null);
  const snapshot = useSyncExternalStore(call?.subscribe ?? noSubscription, call?.getSnapshot ?? idle);
  const connect = useCallback((settings: CallSettings) => {
    latest.current?.hangUp();
    const made = new VoiceCall(settings, browserDevices);
    latest.current = made;
    setCall(made);
    void made.connect();
  }, []);
  useEffect(() => () => latest.current?.hangUp(), []);
  return { call, snapshot, connect };
}
