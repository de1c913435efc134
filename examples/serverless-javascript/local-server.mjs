// Stands in for Vercel on your own machine: the page in ../browser, and api/voice-token.js at its address.
//   node local-server.mjs [port]
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname } from "node:path";
import { POST } from "./api/voice-token.js";

const PAGE = new URL("../browser/", import.meta.url);
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8" };

const server = createServer(async (request, response) => {
  const url = new URL(request.url, "http://127.0.0.1");
  const result =
    url.pathname === "/api/voice-token" && request.method === "POST"
      ? await POST(new Request(url, { method: "POST", headers: request.headers }))
      : await page(url.pathname);
  response.writeHead(result.status, Object.fromEntries(result.headers));
  response.end(Buffer.from(await result.arrayBuffer()));
});

async function page(path) {
  const name = path === "/" ? "index.html" : path.slice(1);
  try {
    // Only names without a slash: nothing outside the folder can be asked for.
    if (!/^[\w-]+\.(html|js)$/.test(name)) throw new Error("not one of the page's files");
    return new Response(await readFile(new URL(name, PAGE)), { headers: { "content-type": TYPES[extname(name)] } });
  } catch {
    return new Response("Not found", { status: 404 });
  }
}

// Only this machine: localhost is also the one place where browsers give a microphone without https.
server.listen(Number(process.argv[2] ?? 3000), "127.0.0.1", () => {
  console.log(`Open http://127.0.0.1:${server.address().port}/`);
});
