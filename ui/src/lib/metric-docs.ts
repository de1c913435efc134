/** What each metric means, as docs/metrics.md says it; tests/test_docs.py compares the names with the server's. */

export type Unit = "ms" | "share" | "tokens" | "count" | "dB" | "LUFS" | "USD/min";
export type MetricDoc = [name: string, unit: Unit, words: string];

export const METRIC_GROUPS: [group: string, metrics: MetricDoc[]][] = [
  [
    "Latency",
    [
      ["v2v_p50", "ms", "Voice to voice: end of the user's speech to the first voice of the answer, median"],
      ["v2v_p95", "ms", "Voice to voice: only one answer in twenty took longer"],
      ["tool_turn_v2v_p50", "ms", "Voice to voice of turns in which a tool was called, median"],
      ["tool_turn_v2v_p95", "ms", "Voice to voice of turns in which a tool was called, 95th percentile"],
      ["endpointing_p50", "ms", "From the end of speech until it was noticed (speech_stopped or commit)"],
      [
        "commit_to_response_p50",
        "ms",
        "From the noticed end of speech, or the client's request, to response.created",
      ],
      ["model_ttfa_p50", "ms", "From response.created to its first audio, median"],
      ["model_ttfa_p95", "ms", "From response.created to its first audio, 95th percentile"],
      ["ttfa_peer_p50", "ms", "From speech_stopped to the first audio, as LangSmith counts"],
      ["lead_silence_p50", "ms", "Silence at the beginning of the answer's audio"],
      ["transcript_lag_p50", "ms", "From speech_stopped to the transcript of what the user said"],
      ["tool_wait_p95", "ms", "From a tool's arguments to its result, 95th percentile"],
      ["greeting_latency", "ms", "Until the first sound, where the assistant speaks first"],
      ["underrun_ms", "ms", "Gaps that were heard inside answers because audio came late"],
      ["silence_during_tool_total", "ms", "How long nobody spoke while tools ran"],
      ["silence_during_tool_longest", "ms", "The longest silence while one tool ran"],
    ],
  ],
  [
    "Turn-taking",
    [
      ["response_rate", "share", "Turns of the user that were answered within 5 s"],
      ["response_latency_p50", "ms", "End of the user's turn to the assistant's start, of answered turns"],
      ["yield_rate", "share", "Interruptions after which the assistant stopped within 2 s"],
      ["yield_latency_p50", "ms", "How long the assistant went on after being interrupted"],
      [
        "agent_interruption_rate",
        "share",
        "How often the assistant began while the user spoke, per turn; can exceed 1",
      ],
      [
        "ghost_interruption_rate",
        "share",
        "Interruptions by voice behind which there was none: echo or noise",
      ],
      ["dead_air_total", "ms", "Silences of both sides longer than 3 s, together"],
      ["dead_air_longest", "ms", "The longest silence of both sides"],
      ["dead_air_agent", "ms", "Dead air in which the assistant owed the answer"],
      ["dead_air_user", "ms", "Dead air in which the user was to speak"],
      ["dead_air_tool", "ms", "Dead air while a tool ran"],
      ["talk_ratio", "share", "The assistant's share of all speech"],
      ["overlap_ms", "ms", "Both sides speaking at once"],
      ["reprompt_rate", "share", "Turns of the user that follow another one without an answer between"],
      ["missed_last_turn", "count", "1 if the call ended on a turn of the user that nobody answered"],
    ],
  ],
  [
    "Signal",
    [
      ["clipping", "share", "Samples of the user at full scale: too loud for the microphone"],
      ["clipping_assistant", "share", "Samples of the assistant at full scale"],
      ["snr_db", "dB", "The user's voice over the background noise"],
      ["loudness", "LUFS", "Integrated loudness of the user (ITU-R BS.1770)"],
      ["loudness_assistant", "LUFS", "Integrated loudness of the assistant"],
    ],
  ],
  [
    "Tools, tokens and cost",
    [
      ["tool_error_rate", "share", "Tool calls that failed or answered with an error"],
      ["tool_schema_validity", "share", "Tool calls whose arguments fit the tool's schema"],
      ["cost_per_minute", "USD/min", "Cost over the length of the call"],
      ["tokens_in", "tokens", "Input tokens of all responses"],
      ["tokens_out", "tokens", "Output tokens of all responses"],
      ["tokens_audio_in", "tokens", "Audio tokens in"],
      ["tokens_audio_out", "tokens", "Audio tokens out"],
      ["cache_hit_rate", "share", "Input tokens that came from the cache"],
      ["turns", "count", "User inputs, speech or text, with what each led to"],
      ["interruptions", "count", "Answers that the user or the client stopped"],
      ["errors", "count", "Errors of the provider, of responses, transcripts and the gateway"],
    ],
  ],
];

export const METRIC_WORDS = new Map(
  METRIC_GROUPS.flatMap(([, metrics]) =>
    metrics.map(([name, unit, words]) => [name, { unit, words }] as const),
  ),
);
