import { expect, test } from "vitest";
import { keyInFragment } from "./key-from-address";

test.each([
  ["#key=vg_abc", "vg_abc"],
  ["#key=", null],
  ["#other=1", null],
  ["", null],
])("the fragment %s carries the key %s", (fragment, key) => {
  expect(keyInFragment(fragment)).toBe(key);
});
