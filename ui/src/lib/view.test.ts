import { expect, test } from "vitest";
import { clamped, place, ViewState, zoomed } from "./view";

const WHOLE = { fromMs: 0, toMs: 10_000 };

test("zooming keeps what is under the pointer where it is", () => {
  const closer = zoomed(WHOLE, 4, 6_000, 10_000);
  expect(closer.toMs - closer.fromMs).toBe(2_500);
  expect(place(closer, 6_000)).toBeCloseTo(place(WHOLE, 6_000));
});

test("there is no closer look than a fifth of a second, and none beyond the call", () => {
  const closest = zoomed(WHOLE, 1e9, 0, 10_000);
  expect(closest).toEqual({ fromMs: 0, toMs: 200 });
  expect(zoomed(closest, 1e-9, 100, 10_000)).toEqual(WHOLE);
  expect(clamped({ fromMs: 9_500, toMs: 10_500 }, 10_000)).toEqual({ fromMs: 9_000, toMs: 10_000 });
});

test("a growing call stays whole, or the chosen part stays where it is", () => {
  const state = new ViewState(1_000);
  state.grow(2_000);
  expect(state.view).toEqual({ fromMs: 0, toMs: 2_000 });
  state.zoom(2, 0);
  state.grow(4_000);
  expect(state.view).toEqual({ fromMs: 0, toMs: 1_000 });
  state.fit();
  expect(state.view).toEqual({ fromMs: 0, toMs: 4_000 });
});

test("a running call has room at its end, and what is shown moves only when that is used up", () => {
  const state = new ViewState(100_000);
  let moves = 0;
  state.subscribe(() => {
    moves += 1;
  });
  for (let ms = 100_250; ms <= 110_000; ms += 250) {
    state.grow(ms, true);
    expect(state.view.toMs).toBeGreaterThanOrEqual(ms);
    expect(state.view.toMs).toBeLessThanOrEqual(ms * 1.021);
    expect(state.wholeMs).toBe(state.view.toMs);
  }
  expect(moves).toBeLessThan(8);
  state.grow(110_000);
  expect(state.view).toEqual({ fromMs: 0, toMs: 110_000 });
});

test("a place out of sight turns the page, one in sight does not", () => {
  const state = new ViewState(10_000);
  state.zoom(10, 0);
  let changes = 0;
  state.subscribe(() => {
    changes += 1;
  });
  state.reveal(900);
  expect(changes).toBe(0);
  state.reveal(5_000);
  expect(state.view).toEqual({ fromMs: 4_900, toMs: 5_900 });
  expect(changes).toBe(1);
});

test("panning stops at the ends and does nothing to the whole", () => {
  const state = new ViewState(10_000);
  state.pan(500);
  expect(state.view).toEqual(WHOLE);
  state.zoom(2, 0);
  state.pan(99_999);
  expect(state.view).toEqual({ fromMs: 5_000, toMs: 10_000 });
});

test("a call of no length can be looked at", () => {
  expect(new ViewState(0).view).toEqual({ fromMs: 0, toMs: 1 });
});
