// Runs one program in Node: `node main.mjs openai-7/events.mjs ws`. The order is in the environment.
import { readFile } from "node:fs/promises";
import { account } from "./account.mjs";

const [program, ...variant] = process.argv.slice(2);
const { CLIENT_URL: url, CLIENT_KEY: key, CLIENT_MODEL: model, CLIENT_SPEECH: speech, CLIENT_SAYS: says } = process.env;
const order = { url, key, model, whole: says === "all", speech: new Uint8Array(await readFile(speech)) };
const given = await account(new URL(program, import.meta.url), order, ...variant);
process.stdout.write(`ACCOUNT ${JSON.stringify(given)}\n`, () => process.exit(0));
