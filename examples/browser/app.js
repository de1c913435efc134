// A voice call from a browser, without a build step: the page asks your own function for a temporary credential
// and connects with it. No API key ever comes near it.
//
//   microphone → recorder → input_audio_buffer.append → Voxgate
//   loudspeaker ← player ← response.output_audio.delta ←┘

const TOKEN_URL = "/api/voice-token"; // ../serverless-python or ../serverless-javascript
const RATE = 24_000; // of `audio/pcm` in the Realtime protocol, in both directions

const SESSION = {
  type: "realtime",
  output_modalities: ["audio"],
  audio: {
    input: {
      transcription: { model: "gpt-4o-mini-transcribe" },
      // The server finds the end of what is said. Half a second, so that a comma does not end it.
      turn_detection: { type: "server_vad", silence_duration_ms: 500 },
    },
  },
};

const start = document.querySelector("#start");
const stop = document.querySelector("#stop");
const status = document.querySelector("#status");
const transcript = document.querySelector("#transcript");

start.addEventListener("click", () => {
  start.disabled = true;
  startCall().catch((error) => {
    status.textContent = `No call: ${error.message}`;
    start.disabled = false;
  });
});

async function startCall() {
  // Both need the click: browsers give sound and the microphone only to somebody who asked for them.
  const audio = new AudioContext({ sampleRate: RATE });
  await audio.audioWorklet.addModule("worklets.js");
  status.textContent = "Connecting …";
  const socket = await fetchCredential().then(connect).catch((error) => {
    audio.close();
    throw error;
  });
  const send = (event) => socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify(event));
  let microphone = null;

  function hangUp(why) {
    status.textContent = why;
    for (const track of microphone?.getTracks() ?? []) track.stop();
    if (audio.state !== "closed") audio.close();
    socket.close();
    start.disabled = false;
    stop.disabled = true;
  }

  const on = {
    ...answerHandlers(openPlayer(audio, send)),
    ...questionHandlers,
    "session.created": () => send({ type: "session.update", session: SESSION }),
    "session.updated": async () => {
      try {
        microphone = await openMicrophone(audio, send);
        if (audio.state === "closed") hangUp("Ended."); // while the browser asked for permission
        else status.textContent = "Speak.";
      } catch (error) {
        hangUp(`No microphone: ${error.message}`);
      }
    },
    error: ({ error }) => console.error("error event:", error.code, error.message),
  };
  socket.addEventListener("message", ({ data }) => {
    const event = JSON.parse(data);
    on[event.type]?.(event);
  });
  // Why a call ended stands in the close frame; a browser sees nothing else of a refusal.
  socket.addEventListener("close", ({ code, reason }) =>
    hangUp(code === 1000 || code === 1005 ? "Ended." : `Ended: ${code} ${reason}`),
  );
  stop.disabled = false;
  stop.onclick = () => hangUp("Ended.");
}

const questionHandlers = {
  // Makes the line now, so that the question stands above the answer, whose words may come first.
  "input_audio_buffer.committed": ({ item_id }) => line("you", item_id),
  "conversation.item.input_audio_transcription.completed": ({ item_id, transcript: words }) => {
    line("you", item_id).textContent = words;
  },
};

function answerHandlers(player) {
  return {
    // The user speaks: silence at once. The server ends its answer by itself (turn_detection.interrupt_response).
    "input_audio_buffer.speech_started": () => player.stop(),
    "response.output_audio_transcript.delta": ({ item_id, delta }) => line("assistant", item_id).append(delta),
    "response.output_audio.delta": ({ item_id, delta }) => player.play(item_id, decode(delta)),
  };
}

function openPlayer(audio, send) {
  const node = new AudioWorkletNode(audio, "player", { numberOfInputs: 0 });
  node.connect(audio.destination);
  const cutItems = new Set(); // what still comes of these is not to be played
  node.port.onmessage = ({ data: cut }) => {
    for (const { itemId, playedMs } of cut) {
      cutItems.add(itemId);
      line("assistant", itemId).classList.add("cut");
      // The provider believes that everything it sent was heard. This tells it, and the trace, what was.
      const audio_end_ms = Math.floor(playedMs);
      send({ type: "conversation.item.truncate", item_id: itemId, content_index: 0, audio_end_ms });
    }
  };
  return {
    play: (itemId, samples) => cutItems.has(itemId) || node.port.postMessage({ itemId, samples }),
    stop: () => node.port.postMessage("stop"),
  };
}

/** Sends what the microphone hears; resolves to its stream. */
async function openMicrophone(audio, send) {
  // The answer comes out of the loudspeaker: without echo cancellation it would interrupt itself.
  const stream = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: true, channelCount: 1 } });
  if (audio.state === "closed") return stream;
  const recorder = new AudioWorkletNode(audio, "recorder", { numberOfOutputs: 0 });
  recorder.port.onmessage = ({ data }) => send({ type: "input_audio_buffer.append", audio: encode(data) });
  audio.createMediaStreamSource(stream).connect(recorder);
  return stream;
}

async function fetchCredential() {
  const response = await fetch(TOKEN_URL, { method: "POST" });
  const body = await response.json();
  if (!response.ok) throw new Error(body.error);
  return body;
}

/** A browser cannot set headers on a WebSocket, so the key travels as a subprotocol. */
function connect({ url, key }) {
  const socket = new WebSocket(url, ["realtime", `openai-insecure-api-key.${key}`]);
  return new Promise((resolve, reject) => {
    socket.onopen = () => resolve(socket);
    socket.onerror = () => reject(new Error(`${new URL(url).host} does not answer.`));
  });
}

/** The transcript's paragraph of an item. */
function line(who, itemId) {
  const known = document.getElementById(itemId);
  if (known) return known;
  const made = document.createElement("p");
  made.id = itemId;
  made.dataset.who = who;
  return transcript.appendChild(made);
}

/** 16-bit samples as the protocol carries them: base64 of little-endian bytes, which is what browsers run on. */
function encode(samples) {
  return btoa(String.fromCharCode(...new Uint8Array(samples.buffer)));
}

function decode(base64) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  return new Int16Array(bytes.buffer, 0, bytes.length >> 1);
}
