/**
 * The playground's session as programs to copy: what was chosen in, source text out. Each makes a temporary credential
 * with an API key from the environment, opens the same session and asks one question; tests run them.
 */
import { type SessionConfig, sessionConfig } from "../realtime/session-config";
import { type CallSettings, type TalkMode, toolsOf } from "../realtime/settings";
import { parseTool } from "../realtime/tools";
import { browserPage } from "./browser";
import { json, python, shell } from "./literals";

export type Language = "python" | "node" | "browser" | "curl";

export interface Snippet {
  language: Language;
  label: string;
  file: string;
  /** What to install and how to run it. */
  how: string;
  code: string;
}

export interface Subject {
  origin: string;
  model: string;
  session: SessionConfig;
  /** By the tool's name: what the program answers instead of doing something. */
  results: Record<string, string>;
  project: string;
}

export function subjectOf(settings: CallSettings, mode: TalkMode, origin: string, project: string): Subject {
  const results: Record<string, string> = {};
  for (const draft of toolsOf(settings)) {
    const name = parseTool(draft).tool?.name;
    if (name) results[name] = draft.result;
  }
  return { origin, model: settings.model, session: sessionConfig(settings, mode), results, project };
}

export function snippets(subject: Subject): Snippet[] {
  return [
    {
      language: "python",
      label: "Python",
      file: "call.py",
      how: 'pip install "openai[realtime]" && VOXGATE_API_KEY=vg_… python call.py',
      code: pythonCode(subject),
    },
    {
      language: "node",
      label: "Node",
      file: "call.mjs",
      how: "npm install openai ws && VOXGATE_API_KEY=vg_… node call.mjs",
      code: nodeCode(subject),
    },
    {
      language: "browser",
      label: "Browser",
      file: "index.html",
      how: "Serve it beside a function that answers POST /api/voice-token with a credential (the curl command).",
      code: browserPage(subject),
    },
    {
      language: "curl",
      label: "curl",
      file: "credential.sh",
      how: "VOXGATE_API_KEY=vg_… sh credential.sh",
      code: curlCode(subject),
    },
  ];
}

const QUESTION = "Hello! What can you do for me?";

function extension(session: SessionConfig): string {
  const format = (session.audio as { output: { format: { type: string } } }).output.format.type;
  return { "audio/pcmu": "ulaw", "audio/pcma": "alaw" }[format] ?? "pcm";
}

function pythonCode({ origin, model, session, results, project }: Subject): string {
  return `import asyncio
import base64
import json
import os
import re
import urllib.request
from pathlib import Path

from openai import AsyncOpenAI

VOXGATE = "${origin}"
MODEL = ${python(model)}
QUESTION = ${python(QUESTION)}
SESSION = ${python(session)}
RESULTS = ${python(results)}  # what your tools would answer


def make_credential() -> str:
    """On your server: good for one minute, this model and calls recorded in one project."""
    wanted = {"model": MODEL, "ttl_seconds": 60, "logging": {"project_name": ${python(project)}}}
    headers = {"Authorization": f"Bearer {os.environ['VOXGATE_API_KEY']}", "Content-Type": "application/json"}
    request = urllib.request.Request(VOXGATE + "/v1/credentials", json.dumps(wanted).encode(), headers)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["key"]


def run_tool(name: str, arguments: str) -> str:
    """In place of your code: the result with the arguments filled in."""
    given = json.loads(arguments or "{}")

    def fill(found: re.Match) -> str:
        value = given.get(found[1], found[0])
        return json.dumps(value)[1:-1] if isinstance(value, str) else json.dumps(value)

    return re.sub(r"\\{\\{(\\w+)\\}\\}", fill, RESULTS.get(name, '{"error": "unknown tool"}'))


async def main() -> None:
    client = AsyncOpenAI(base_url=VOXGATE + "/v1", api_key=make_credential())
    sound = b""
    async with client.realtime.connect(model=MODEL) as call:
        await call.session.update(session=SESSION)
        content = [{"type": "input_text", "text": QUESTION}]
        await call.conversation.item.create(item={"type": "message", "role": "user", "content": content})
        await call.response.create()
        async for event in call:
            if event.type == "response.output_audio.delta":
                sound += base64.b64decode(event.delta)
            elif event.type == "response.output_audio_transcript.done":
                print("assistant:", event.transcript)
            elif event.type == "error":
                raise SystemExit(f"Error: {event.error.message}")
            elif event.type == "response.done":
                tools = [item for item in event.response.output or [] if item.type == "function_call"]
                if not tools:
                    break
                for item in tools:
                    output = run_tool(item.name, item.arguments)
                    print(f"tool: {item.name}({item.arguments}) -> {output}")
                    answer = {"type": "function_call_output", "call_id": item.call_id, "output": output}
                    await call.conversation.item.create(item=answer)
                await call.response.create()
    Path("answer.${extension(session)}").write_bytes(sound)
    print(f"answer.${extension(session)}: {len(sound)} bytes")


asyncio.run(main())
`;
}

/** The package connects with TLS also where the address says http. */
function connection(origin: string): { imports: string; options: string } {
  const url = new URL(origin);
  if (url.protocol === "https:") return { imports: "", options: "" };
  const to = `connect(${Number(url.port || 80)}, "${url.hostname.replace(/^\[|\]$/g, "")}")`;
  return {
    imports: 'import { connect } from "node:net";\n',
    options: `, options: { createConnection: () => ${to} } /* without TLS */`,
  };
}

function nodeCode({ origin, model, session, results, project }: Subject): string {
  const { imports, options } = connection(origin);
  return `import { writeFile } from "node:fs/promises";
${imports}import OpenAI from "openai";
import { OpenAIRealtimeWS } from "openai/realtime/ws";

const VOXGATE = "${origin}";
const MODEL = ${json(model)};
const QUESTION = ${json(QUESTION)};
const SESSION = ${json(session)};
const RESULTS = ${json(results)}; // what your tools would answer

/** On your server: good for one minute, this model and calls recorded in one project. */
async function makeCredential() {
  const answer = await fetch(\`\${VOXGATE}/v1/credentials\`, {
    method: "POST",
    headers: { authorization: \`Bearer \${process.env.VOXGATE_API_KEY}\`, "content-type": "application/json" },
    body: JSON.stringify({ model: MODEL, ttl_seconds: 60, logging: { project_name: ${json(project)} } }),
  });
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error.message);
  return body.key;
}

/** In place of your code: the result with the arguments filled in. */
function runTool(name, argumentsJson) {
  const given = JSON.parse(argumentsJson || "{}");
  return (RESULTS[name] ?? '{"error": "unknown tool"}').replace(/\\{\\{(\\w+)\\}\\}/g, (whole, key) => {
    const value = JSON.stringify(given[key] ?? whole);
    return typeof given[key] === "number" || typeof given[key] === "object" ? value : value.replace(/^"|"$/g, "");
  });
}

const client = new OpenAI({ baseURL: \`\${VOXGATE}/v1\`, apiKey: await makeCredential() });
const call = new OpenAIRealtimeWS({ model: MODEL${options} }, client);
const sound = [];

call.on("session.created", () => {
  call.send({ type: "session.update", session: SESSION });
  const content = [{ type: "input_text", text: QUESTION }];
  call.send({ type: "conversation.item.create", item: { type: "message", role: "user", content } });
  call.send({ type: "response.create" });
});
call.on("response.output_audio.delta", ({ delta }) => sound.push(Buffer.from(delta, "base64")));
call.on("response.output_audio_transcript.done", ({ transcript }) => console.log("assistant:", transcript));
call.on("error", (error) => {
  console.error("Error:", error.message);
  process.exitCode = 1;
  call.close();
});
call.on("response.done", async ({ response }) => {
  const tools = response.output.filter((item) => item.type === "function_call");
  for (const { name, call_id, arguments: given } of tools) {
    const output = runTool(name, given);
    console.log(\`tool: \${name}(\${given}) -> \${output}\`);
    call.send({ type: "conversation.item.create", item: { type: "function_call_output", call_id, output } });
  }
  if (tools.length > 0) return call.send({ type: "response.create" });
  call.close();
  await writeFile("answer.${extension(session)}", Buffer.concat(sound));
  console.log(\`answer.${extension(session)}: \${Buffer.concat(sound).length} bytes\`);
});
`;
}

/** The session goes into the credential: whoever has the key gets exactly this. */
function curlCode({ origin, model, session, project }: Subject): string {
  const body = { model, ttl_seconds: 60, session, logging: { project_name: project } };
  return `# On your server: a credential for one minute that brings the session along.
curl ${origin}/v1/credentials \\
  -H "Authorization: Bearer $VOXGATE_API_KEY" -H "Content-Type: application/json" \\
  -d ${shell(json(body))}

# The "key" of the answer opens the call, for example with websocat:
#   websocat -H "Authorization: Bearer ek_…" "${origin.replace(/^http/, "ws")}/v1/realtime?model=${encodeURIComponent(model)}"
`;
}
