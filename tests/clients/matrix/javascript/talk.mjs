// What every program of the matrix says in its call, and the account that it gives: see python/talk.py. Runs in Node
// and in a browser.
import scenario from "./scenario.json" with { type: "json" };

export const COUNT = scenario.count;
export const INSTRUCTIONS = scenario.instructions;
export const FORECAST = scenario.forecast;
export const GET_WEATHER = scenario.tool;
export const TRANSCRIPTION = scenario.transcription;
export const VAD = scenario.turn_detection;
const RATE = 24_000;
const STEP_MS = 40_000;
export const HEARD = "conversation.item.input_audio_transcription.completed";

/** What a client surfaced. A list that is null is of a kind that this client does not surface. */
export class Account {
  session = null;
  events = null;
  heard = null;
  tools = [];
  words = [];
  errors = [];
  failure = null;
  #sound = new Map();
  #taken = [];
  #listeners = new Set();

  /** Notes a server event of either dialect and all that it brings. */
  take(event) {
    const kind = event.type.replace("output_audio", "audio");
    if (kind === "response.audio.delta") this.hear(event.response_id, bytesOf(event.delta));
    else if (kind === "response.audio_transcript.done") this.words.push(event.transcript);
    else if (kind === HEARD) this.heard = [...(this.heard ?? []), event.transcript];
    else if (kind === "response.done") this.#takeCalls(event.response.output ?? []);
    this.note(event);
  }

  /** Notes that a server event came, where the client has words of its own for what it brings. */
  note(event) {
    this.events.push([event.type, event.event_id]);
    if (event.type === "session.created" || event.type === "session.updated") this.session = event.session;
    else if (event.type === "error") this.errors.push(event.error);
    this.tell(event.type);
  }

  /** Sound of one answer. */
  hear(answer, pcm) {
    this.#sound.set(answer, [...(this.#sound.get(answer) ?? []), pcm]);
  }

  #takeCalls(output) {
    for (const { type, name, arguments: words, call_id } of output)
      if (type === "function_call") this.tools.push({ name, arguments: words, call_id });
  }

  /** Something happened that a program may wait for. */
  tell(what) {
    this.#taken.push(what);
    for (const listener of this.#listeners) listener();
  }

  /** Waits until each of these has happened since the last time that something was waited for. */
  async until(...wanted) {
    const missing = [...wanted];
    const look = () => {
      while (missing.length && this.#taken.length) {
        const place = missing.indexOf(this.#taken.shift());
        if (place >= 0) missing.splice(place, 1);
      }
      if (this.errors.length) throw new Error(JSON.stringify(this.errors));
      return missing.length === 0;
    };
    await new Promise((resolve, reject) => {
      const finish = (settle, value) => {
        clearTimeout(timer);
        this.#listeners.delete(listener);
        settle(value);
      };
      const listener = () => {
        try {
          if (look()) finish(resolve);
        } catch (error) {
          finish(reject, error);
        }
      };
      const timer = setTimeout(() => finish(reject, new Error(`no ${missing} came`)), STEP_MS);
      this.#listeners.add(listener);
      listener();
    });
  }

  async toJson() {
    const sound = [];
    for (const parts of this.#sound.values()) {
      const pcm = joined(parts);
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", pcm));
      const sha256 = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
      sound.push({ bytes: pcm.length, sha256 });
    }
    return { ...this, sound };
  }
}

export function said(text) {
  return { type: "message", role: "user", content: [{ type: "input_text", text }] };
}

/** A spoken question and a second of silence, in pieces of 100 ms. */
export function* pieces(question) {
  const pcm = joined([question, new Uint8Array(RATE * 2)]);
  for (let start = 0; start < pcm.length; start += RATE / 5) yield pcm.slice(start, start + RATE / 5);
}

/** The whole call of a client that sends events and surfaces events. */
export async function hold(order, account, dialect, send) {
  await account.until("session.created");
  send({ type: "session.update", session: scenario.session[dialect] });
  await account.until("session.updated");
  send({ type: "conversation.item.create", item: said(COUNT) });
  send({ type: "response.create" });
  await account.until("response.done", "rate_limits.updated");
  if (!order.whole) return;
  for (const piece of pieces(order.speech)) send({ type: "input_audio_buffer.append", audio: base64(piece) });
  await account.until(HEARD, "response.done", "rate_limits.updated");
  const { call_id } = account.tools.at(-1);
  send({ type: "conversation.item.create", item: { type: "function_call_output", call_id, output: FORECAST } });
  send({ type: "response.create" });
  await account.until("response.done", "rate_limits.updated");
}

/** Waits for the end of a turn in which the client calls the tool by itself: two responses. */
export async function answered(account) {
  const response = ["response.done", "rate_limits.updated"];
  await account.until(HEARD, ...response, ...response);
}

export function wsUrl(order) {
  return `${order.url.replace("http", "ws")}/realtime`;
}

function joined(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export function bytesOf(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

function base64(bytes) {
  return btoa(String.fromCharCode(...bytes));
}
