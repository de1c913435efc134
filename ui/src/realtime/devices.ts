/** The real devices of a call: this origin's credential endpoint and WebSocket, the browser's sound. */
import { post } from "../api/client";
import type { Credential } from "../api/types";
import { microphoneProblem, openMicrophone, openSpeaker } from "./audio";
import type { Socket } from "./call";
import type { StageDevices } from "./stage";

const CREDENTIAL_SECONDS = 600;
const PROJECT = "playground";

function realtimeUrl(model: string): string {
  const scheme = window.location.protocol === "https:" ? "wss" : "ws";
  return `${scheme}://${window.location.host}/v1/realtime?model=${encodeURIComponent(model)}`;
}

/** `project`: the one that the signed-in key is bound to; else calls are recorded in `playground`. */
export const browserDevices = (project: string | null): StageDevices => ({
  credential: (model) =>
    post<Credential>("/v1/credentials", {
      model,
      ttl_seconds: CREDENTIAL_SECONDS,
      logging: { project_name: project ?? PROJECT },
    }),
  socket: (model, key) =>
    new WebSocket(realtimeUrl(model), ["realtime", `openai-insecure-api-key.${key}`]) as unknown as Socket,
  speaker: openSpeaker,
  microphone: openMicrophone,
  microphoneProblem,
  now: () => performance.now(),
});
