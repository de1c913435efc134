/** The real devices of a call: this origin's credential endpoint and WebSocket, the browser's sound. */
import { post } from "../api/client";
import type { Credential } from "../api/types";
import { microphoneProblem, openMicrophone, openSpeaker } from "./audio";
import type { Devices, Socket } from "./call";

const CREDENTIAL_SECONDS = 600;

function realtimeUrl(model: string): string {
  const scheme = window.location.protocol === "https:" ? "wss" : "ws";
  return `${scheme}://${window.location.host}/v1/realtime?model=${encodeURIComponent(model)}`;
}

export const browserDevices: Devices = {
  credential: (model) =>
    post<Credential>("/v1/credentials", {
      model,
      ttl_seconds: CREDENTIAL_SECONDS,
      logging: { project_name: "playground" },
    }),
  socket: (model, key) =>
    new WebSocket(realtimeUrl(model), ["realtime", `openai-insecure-api-key.${key}`]) as unknown as Socket,
  speaker: openSpeaker,
  microphone: openMicrophone,
  microphoneProblem,
};
