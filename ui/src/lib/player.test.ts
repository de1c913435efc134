import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Player } from "./player";

/** As a media element does it: it plays and pauses at once, and tells so by events some time later. */
class SlowToTell extends EventTarget {
  static made: SlowToTell[] = [];
  paused = true;
  ended = false;
  error = null;
  readyState = 4;
  currentTime = 0;
  preload = "";
  src = "";

  constructor() {
    super();
    SlowToTell.made.push(this);
  }

  async play() {
    this.paused = false;
  }

  pause() {
    this.paused = true;
  }
}

let player: Player;
let element: SlowToTell;

beforeEach(() => {
  vi.stubGlobal("Audio", SlowToTell);
  vi.stubGlobal("HTMLMediaElement", { HAVE_METADATA: 1, HAVE_FUTURE_DATA: 3 });
  vi.stubGlobal("requestAnimationFrame", () => 1);
  vi.stubGlobal("cancelAnimationFrame", () => undefined);
  player = new Player("/sound");
  element = SlowToTell.made.at(-1) as SlowToTell;
});

afterEach(() => vi.unstubAllGlobals());

test("each press plays or pauses, however late the element tells that it did", () => {
  player.toggle();
  expect(element.paused).toBe(false);
  player.toggle();
  expect(element.paused).toBe(true);
  element.dispatchEvent(new Event("play")); // of the first press
  player.toggle();
  expect(element.paused).toBe(false);
  element.dispatchEvent(new Event("pause"));
  expect(player.state.playing).toBe(true);
});

test("what goes through a mixer that the browser has put to rest is woken to play", () => {
  let state = "suspended";
  const node = { connect: () => node, gain: { setTargetAtTime: () => undefined } };
  const make = () => node;
  class Context {
    destination = node;
    currentTime = 0;
    createGain = make;
    createChannelSplitter = make;
    createChannelMerger = make;
    createMediaElementSource = make;
    async resume() {
      state = "running";
    }
  }
  vi.stubGlobal("AudioContext", Context);
  player.mute({ user: true, assistant: false });
  expect(state).toBe("running");
  state = "suspended"; // as a telephone call that comes in does it
  player.toggle();
  expect(state).toBe("running");
});
