/**
 * What is made of a span, made once for as long as the span is the same: while a call runs its lists are made anew
 * with each change, and React keeps the one before beside the newest. They share what they are lists of.
 */
import type { Span } from "../api/types";

/** `key` is all else that it is made of; the newest is kept. */
export function ofSpan<Key, Made>(make: (span: Span, key: Key) => Made): (span: Span, key: Key) => Made {
  const known = new WeakMap<Span, { key: Key; made: Made }>();
  return (span, key) => {
    const before = known.get(span);
    if (before && Object.is(before.key, key)) return before.made;
    const made = make(span, key);
    known.set(span, { key, made });
    return made;
  };
}
