import { expect, test } from "vitest";
import { type Clock, PacedInput } from "./paced-input";

class FakeClock implements Clock {
  time = 0;
  private readonly acts: (() => void)[] = [];
  now = () => this.time;
  every(_ms: number, act: () => void) {
    this.acts.push(act);
    return () => this.acts.splice(0);
  }
  pass(ms: number) {
    this.time += ms;
    for (const act of this.acts) act();
  }
}

function made(ms: number) {
  const clock = new FakeClock();
  const given: number[] = [];
  const samples = new Int16Array(ms * 24).fill(1_000);
  const input = new PacedInput("file.wav", samples, (piece) => given.push(piece[0] ?? 0), clock);
  return { clock, given, input };
}

test("a file goes out as fast as time passes, and silence before and after it", async () => {
  const { clock, given, input } = made(80);
  clock.pass(80);
  expect(given).toEqual([0, 0]);
  const end = input.play();
  clock.pass(40);
  expect(given).toEqual([0, 0, 1_000]);
  clock.pass(40);
  await end;
  clock.pass(80);
  expect(given).toEqual([0, 0, 1_000, 1_000, 0, 0]);
});

test("ticks that come late are made up for", () => {
  const { clock, given, input } = made(400);
  void input.play();
  clock.pass(210);
  expect(given).toHaveLength(5);
});

test("after a long sleep it goes on from now", () => {
  const { clock, given } = made(40);
  clock.pass(3_600_000);
  expect(given).toEqual([]);
  clock.pass(40);
  expect(given).toEqual([0]);
});

test("it can be played again, and closing it ends the wait for its end", async () => {
  const { clock, given, input } = made(40);
  const first = input.play();
  clock.pass(40);
  await first;
  const second = input.play();
  clock.pass(40);
  await second;
  expect(given).toEqual([1_000, 1_000]);
  const third = input.play();
  input.close();
  await third;
});
