import { expect, test } from "vitest";
import { closeWords } from "./close-codes";

test.each([
  [1000, "", "The call ended normally. (close code 1000)"],
  [4001, "invalid_request_error.session_ended", "ended from its session page"],
  [1006, "", "Check that the gateway is running"],
  [4999, "odd.toString", "The connection was closed. “odd.toString” (close code 4999)"],
])("%i %s is said in words", (code, reason, words) => {
  expect(closeWords(code, reason)).toContain(words);
});
