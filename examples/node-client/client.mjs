// Asks a question that is in a sound file and saves the spoken answer: OpenAI's own npm package, with nothing changed
// but the address and the key.
//
//   VOXGATE_URL=http://127.0.0.1:8600 VOXGATE_KEY=ek_… node client.mjs question.wav [answer.wav]
import { readFile, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import OpenAI from "openai";
import { OpenAIRealtimeWS } from "openai/realtime/ws";
import { pcmOfWav, RATE, wavOfPcm } from "./wav.mjs";

const APPEND_MS = 100;
const APPEND_BYTES = (RATE * 2 * APPEND_MS) / 1000;
const TRAILING_SILENCE = Buffer.alloc(RATE * 2);

const [questionFile, answerFile = "answer.wav"] = process.argv.slice(2);
if (!questionFile) throw new Error("Usage: node client.mjs question.wav [answer.wav]");
const question = pcmOfWav(await readFile(questionFile));

const voxgate = new URL(process.env.VOXGATE_URL);
const client = new OpenAI({ baseURL: `${process.env.VOXGATE_URL}/v1`, apiKey: process.env.VOXGATE_KEY });
const model = process.env.VOXGATE_MODEL ?? "local";
const call = new OpenAIRealtimeWS({ model, options: connectionOptions() }, client);

/**
 * The package always connects with TLS, also where the address says http. With a Voxgate at an https address
 * nothing is to be done. For one without TLS on your own machine, `ws` is given a plain connection in place of
 * the encrypted one. The key then crosses in the clear, so this is for loopback only.
 */
function connectionOptions() {
  if (voxgate.protocol === "https:") return {};
  return { createConnection: ({ host }) => connect(Number(voxgate.port || 80), host) };
}

const { promise: finished, resolve: finish, reject: fail } = Promise.withResolvers();
const answer = [];
let isAnswered = false;
let isHeard = false;

call.on("session.created", () =>
  call.send({
    type: "session.update",
    session: {
      type: "realtime",
      output_modalities: ["audio"],
      audio: {
        input: {
          transcription: { model: "gpt-4o-mini-transcribe" },
          // The server finds the end of the question. Half a second, so that a comma does not end it.
          turn_detection: { type: "server_vad", silence_duration_ms: 500 },
        },
      },
    },
  }),
);
call.on("session.updated", () => speak().catch(fail));
call.on("response.output_audio.delta", (event) => answer.push(Buffer.from(event.delta, "base64")));
call.on("response.output_audio_transcript.done", (event) => console.log(`assistant: ${event.transcript}`));
call.on("conversation.item.input_audio_transcription.completed", (event) => {
  console.log(`you:       ${event.transcript}`);
  isHeard = true;
  finishIfWhole();
});
call.on("conversation.item.input_audio_transcription.failed", (event) => {
  console.error(`you:       (no transcript: ${event.error.message})`);
  isHeard = true;
  finishIfWhole();
});
call.on("response.done", ({ response }) => {
  if (response.status !== "completed") return fail(new Error(`The response is ${response.status}.`));
  isAnswered = true;
  finishIfWhole();
});
call.on("error", fail);
call.socket.on("close", (code, reason) => fail(new Error(`The connection was closed: ${code} ${reason}`)));

/** Sends the sound as a microphone would: in small pieces, no faster than time passes. */
async function speak() {
  const pcm = Buffer.concat([question, TRAILING_SILENCE]);
  for (let start = 0; start < pcm.length && !isAnswered; start += APPEND_BYTES) {
    const audio = pcm.subarray(start, start + APPEND_BYTES).toString("base64");
    call.send({ type: "input_audio_buffer.append", audio });
    await sleep(APPEND_MS);
  }
}

/** The question's transcript may come after the answer. */
function finishIfWhole() {
  if (isAnswered && isHeard) finish();
}

try {
  await finished;
  const pcm = Buffer.concat(answer);
  await writeFile(answerFile, wavOfPcm(pcm));
  console.log(`${answerFile}: ${(pcm.length / 2 / RATE).toFixed(1)} s`);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  call.close();
}
