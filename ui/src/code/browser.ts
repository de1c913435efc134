/** The playground's session as a page of one file: microphone, loudspeaker, interruption. */
import { json } from "./literals";
import type { Subject } from "./snippets";

const WORKLETS = `
    registerProcessor("recorder", class extends AudioWorkletProcessor {
      process([[channel]]) {
        if (channel) this.port.postMessage(Int16Array.from(channel, (x) => Math.max(-1, Math.min(1, x)) * 32767));
        return true;
      }
    });
    registerProcessor("player", class extends AudioWorkletProcessor {
      queue = []; item = null; played = 0;
      constructor() {
        super();
        this.port.onmessage = ({ data }) => {
          if (data !== "stop") return this.queue.push(data);
          if (this.queue.length) this.port.postMessage({ item: this.item ?? this.queue[0].item, ms: this.played / 24 });
          this.queue = [];
        };
      }
      process(_, [[out]]) {
        for (let i = 0; i < out.length; i++) {
          const first = this.queue[0];
          if (!first) break;
          if (first.item !== this.item) [this.item, this.played] = [first.item, 0];
          out[i] = first.samples[first.at = first.at ?? 0] / 32768;
          this.played++;
          if (++first.at >= first.samples.length) this.queue.shift();
        }
        return true;
      }
    });`;

/** A page's sound is PCM at 24 kHz, whatever the playground's formats were: no page has a telephone's. */
function forPages(session: Subject["session"]): Subject["session"] {
  const audio = session.audio as { input: object; output: object };
  const format = { type: "audio/pcm", rate: 24_000 };
  return { ...session, audio: { input: { ...audio.input, format }, output: { ...audio.output, format } } };
}

export function browserPage({ origin, model, session, results }: Subject): string {
  return `<!doctype html>
<meta charset="utf-8">
<title>Voice call</title>
<button id="start">Start the call</button> <span id="status" role="status"></span>
<div id="transcript"></div>
<script type="module">
  const VOXGATE = "${origin.replace(/^http/, "ws")}";
  const MODEL = ${json(model)};
  const SESSION = ${json(forPages(session))};
  const RESULTS = ${json(results)}; // what your tools would answer

  const start = document.querySelector("#start");
  start.onclick = () => call().catch((error) => (document.querySelector("#status").textContent = error.message));

  async function call() {
    // Your function makes the credential; no API key ever comes near the page.
    const answer = await fetch("/api/voice-token", { method: "POST" });
    if (!answer.ok) throw new Error(await answer.text());
    const { key } = await answer.json();
    const audio = new AudioContext({ sampleRate: 24000 });
    await audio.audioWorklet.addModule(URL.createObjectURL(new Blob([WORKLETS], { type: "text/javascript" })));
    const player = new AudioWorkletNode(audio, "player", { numberOfInputs: 0 });
    player.connect(audio.destination);
    const url = \`\${VOXGATE}/v1/realtime?model=\${encodeURIComponent(MODEL)}\`;
    const socket = new WebSocket(url, ["realtime", "openai-insecure-api-key." + key]);
    const send = (event) => socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify(event));
    const cut = new Set();
    player.port.onmessage = ({ data: { item, ms } }) => {
      cut.add(item); // tells the provider how much of its answer was heard
      send({ type: "conversation.item.truncate", item_id: item, content_index: 0, audio_end_ms: Math.floor(ms) });
    };
    socket.onclose = ({ code, reason }) => (document.querySelector("#status").textContent = \`Ended: \${code} \${reason}\`);
    socket.onmessage = async ({ data }) => {
      const event = JSON.parse(data);
      if (event.type === "session.created") send({ type: "session.update", session: SESSION });
      if (event.type === "session.updated") await record(audio, send);
      if (event.type === "input_audio_buffer.speech_started") player.port.postMessage("stop");
      if (event.type === "response.output_audio.delta" && !cut.has(event.item_id))
        player.port.postMessage({ item: event.item_id, samples: decode(event.delta) });
      if (event.type === "response.output_audio_transcript.done") line("assistant", event.transcript);
      if (event.type === "conversation.item.input_audio_transcription.completed") line("you", event.transcript);
      if (event.type === "response.done") runTools(event.response.output, send);
      if (event.type === "error") line("error", event.error.message);
    };
  }

  let recorder = null;
  async function record(audio, send) {
    if (recorder) return;
    recorder = new AudioWorkletNode(audio, "recorder", { numberOfOutputs: 0 });
    recorder.port.onmessage = ({ data }) => send({ type: "input_audio_buffer.append", audio: encode(data) });
    const stream = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: true, channelCount: 1 } });
    audio.createMediaStreamSource(stream).connect(recorder);
    document.querySelector("#status").textContent = "Speak.";
  }

  function runTools(items, send) {
    const tools = items.filter((item) => item.type === "function_call");
    for (const { name, call_id, arguments: given } of tools) {
      const output = runTool(name, given);
      line("tool", \`\${name}(\${given}) -> \${output}\`);
      send({ type: "conversation.item.create", item: { type: "function_call_output", call_id, output } });
    }
    if (tools.length) send({ type: "response.create" });
  }

  // In place of your code: the result with the arguments filled in.
  function runTool(name, argumentsJson) {
    const given = JSON.parse(argumentsJson || "{}");
    return (RESULTS[name] ?? '{"error": "unknown tool"}').replace(/\\{\\{(\\w+)\\}\\}/g, (whole, key) => {
      const value = JSON.stringify(given[key] ?? whole);
      return typeof given[key] === "number" || typeof given[key] === "object" ? value : value.replace(/^"|"$/g, "");
    });
  }

  function line(who, words) {
    document.querySelector("#transcript").appendChild(document.createElement("p")).textContent = \`\${who}: \${words}\`;
  }
  const encode = (samples) => btoa(String.fromCharCode(...new Uint8Array(samples.buffer)));
  const decode = (text) => new Int16Array(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
  const WORKLETS = \`${WORKLETS}
  \`;
</script>
`;
}
