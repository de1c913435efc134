// Lets a program hold its call, and gives the account of it: how far it came, and why no further.
import { Account } from "./talk.mjs";

export async function account(program, order, ...variant) {
  const given = new Account();
  try {
    const { converse } = await import(program);
    await converse(order, given, ...variant);
  } catch (error) {
    given.failure = String(error?.message ?? JSON.stringify(error));
  }
  return given.toJson();
}
