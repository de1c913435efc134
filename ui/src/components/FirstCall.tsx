/** What to do while there are no sessions: the three ways to a first call, ready to copy. */
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { Snippet } from "./Copy";
import { Tabs } from "./Tabs";

const python = (origin: string) => `import asyncio

from openai import AsyncOpenAI  # pip install "openai[realtime]"

client = AsyncOpenAI(base_url="${origin}/v1", api_key="vg_…")
hello = {
    "type": "message",
    "role": "user",
    "content": [{"type": "input_text", "text": "Hello!"}],
}


async def main():
    async with client.realtime.connect(model="local") as call:
        await call.conversation.item.create(item=hello)
        await call.response.create()
        async for event in call:
            print(event.type)
            if event.type == "response.done":
                break


asyncio.run(main())`;

const curl = (origin: string) => `curl ${origin}/v1/credentials \\
  -H "authorization: Bearer vg_…" -H "content-type: application/json" \\
  -d '{"model": "local", "ttl_seconds": 600, "logging": {"project_name": "first-calls"}}'`;

const WAYS = [
  { id: "python", label: "Python" },
  { id: "curl", label: "curl: a temporary credential" },
] as const;

export function FirstCall() {
  const [way, setWay] = useState<(typeof WAYS)[number]["id"]>("python");
  const origin = window.location.origin;
  return (
    <section className="panel first-call" data-testid="first-call">
      <div>
        <h2>No calls yet. Make the first one</h2>
        <p className="muted">
          Every call through this gateway shows up here while it runs. The model <code>local</code> is built
          in: it needs no provider key and no network.
        </p>
      </div>
      <Link to="/playground" className="button primary">
        Talk to it in the Playground
      </Link>
      <p className="muted">Or from a program. Any Realtime client works: change its base URL and its key.</p>
      <Tabs tabs={WAYS} selected={way} onSelect={setWay} label="Ways to call" />
      <Snippet name={way} code={way === "python" ? python(origin) : curl(origin)} />
    </section>
  );
}
