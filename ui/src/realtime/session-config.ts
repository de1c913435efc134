/** The first message of a call: `session.update` from what was chosen on the page. */
import { WEATHER_TOOL } from "./demo-tool";
import type { CallSettings, ClientEvent } from "./events";

export function sessionUpdate(settings: CallSettings): ClientEvent {
  const format = { type: "audio/pcm", rate: 24_000 };
  const session: Record<string, unknown> = {
    type: "realtime",
    output_modalities: ["audio"],
    audio: {
      input: {
        format,
        transcription: { model: "whisper-1" },
        turn_detection: settings.mode === "hands-free" ? { type: "server_vad" } : null,
      },
      output: { format, voice: settings.voice },
    },
  };
  if (settings.instructions.trim()) session.instructions = settings.instructions.trim();
  if (settings.demoTool) {
    session.tools = [WEATHER_TOOL];
    session.tool_choice = "auto";
  }
  return { type: "session.update", session };
}
