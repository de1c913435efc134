/** The first message of a call: `session.update` from what was chosen on the page. */
import type { ClientEvent } from "./events";
import { type CallSettings, type TalkMode, type TurnSettings, toolsOf, type WireFormat } from "./settings";
import { definitions } from "./tools";

export type SessionConfig = Record<string, unknown>;

function formatOf(type: WireFormat): Record<string, unknown> {
  return type === "audio/pcm" ? { type, rate: 24_000 } : { type };
}

export function turnDetection(turns: TurnSettings): Record<string, unknown> {
  const own =
    turns.type === "server_vad"
      ? {
          threshold: turns.threshold,
          prefix_padding_ms: turns.prefixPaddingMs,
          silence_duration_ms: turns.silenceMs,
        }
      : { eagerness: turns.eagerness };
  return { type: turns.type, ...own, create_response: true, interrupt_response: turns.interrupts };
}

/** The session as the protocol has it: the same for the call, for a credential, and in the code to copy. */
export function sessionConfig(settings: CallSettings, mode: TalkMode): SessionConfig {
  const { transcription } = settings;
  const tools = definitions(toolsOf(settings));
  return {
    type: "realtime",
    output_modalities: ["audio"],
    ...(settings.instructions.trim() ? { instructions: settings.instructions.trim() } : {}),
    audio: {
      input: {
        format: formatOf(settings.inputFormat),
        transcription: transcription ? { model: transcription } : null,
        turn_detection: mode === "hands-free" ? turnDetection(settings.turns) : null,
      },
      output: { format: formatOf(settings.outputFormat), voice: settings.voice },
    },
    ...(tools.length > 0 ? { tools, tool_choice: "auto" } : {}),
  };
}

export function sessionUpdate(settings: CallSettings, mode: TalkMode): ClientEvent {
  return { type: "session.update", session: sessionConfig(settings, mode) };
}
