import { expect, test } from "vitest";
import type { Span } from "../api/types";
import { ofSpan } from "./of-span";

const SPAN = { id: "a", name: "look_up" } as Span;

test("it is made once of the same span, and anew of another or with another key", () => {
  const made = ofSpan((span: Span, turn: number) => ({ text: `${span.name} ${turn}` }));
  const first = made(SPAN, 1);
  expect(made(SPAN, 1)).toBe(first);
  expect(made({ ...SPAN }, 1)).not.toBe(first);
  expect(made(SPAN, 2)).toEqual({ text: "look_up 2" });
  // The newest is the one that is kept.
  expect(made(SPAN, 1)).not.toBe(first);
});
