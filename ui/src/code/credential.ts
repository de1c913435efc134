/** A request for a temporary credential as code to copy. */
import { json, python, shell } from "./literals";
import type { Snippet } from "./snippets";

export function credentialSnippets(body: Record<string, unknown>, origin: string): Snippet[] {
  return [
    {
      language: "curl",
      label: "curl",
      file: "credential.sh",
      how: "",
      code: `curl ${origin}/v1/credentials \\
  -H "Authorization: Bearer $VOXGATE_API_KEY" -H "Content-Type: application/json" \\
  -d ${shell(json(body))}`,
    },
    {
      language: "python",
      label: "Python",
      file: "credential.py",
      how: "",
      code: `import json
import os
import urllib.request

WANTED = ${python(body)}

request = urllib.request.Request(
    "${origin}/v1/credentials",
    json.dumps(WANTED).encode(),
    {"Authorization": f"Bearer {os.environ['VOXGATE_API_KEY']}", "Content-Type": "application/json"},
)
with urllib.request.urlopen(request) as answer:
    print(json.load(answer)["key"])`,
    },
    {
      language: "node",
      label: "Node",
      file: "credential.mjs",
      how: "",
      code: `const answer = await fetch("${origin}/v1/credentials", {
  method: "POST",
  headers: { authorization: \`Bearer \${process.env.VOXGATE_API_KEY}\`, "content-type": "application/json" },
  body: JSON.stringify(${json(body)}),
});
const credential = await answer.json();
if (!answer.ok) throw new Error(credential.error.message);
console.log(credential.key);`,
    },
  ];
}
