// Voxgate's control plane with invented sessions, for developing the web app alone: `npm run mock`, then `npm run
// dev`. Serves the built app too. Any API key signs in except `wrong`. Port: VOXGATE_MOCK_PORT, else 8600.
import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { detail, events, peaks, SPANS, summary, wav } from "./mock-data.mjs";
import { upgrade } from "./mock-realtime.mjs";

const PORT = Number(process.env.VOXGATE_MOCK_PORT ?? 8600);
const MANY = Number(process.env.VOXGATE_MOCK_SESSIONS ?? 130);
const APP = new URL("../../src/voxgate/webapp", import.meta.url).pathname;
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };
const POLICY =
  "default-src 'self'; connect-src 'self' ws:; media-src 'self' blob:; style-src 'self'; frame-ancestors 'none'";
const PAGE = 50;
const CALL_MS = 34_000;

const deleted = new Set();
const bornMs = Date.now();
let ended = false;
const liveMs = () => (ended ? CALL_MS : Math.min(CALL_MS, 8000 + (Date.now() - bornMs)));

function json(response, body, status = 200) {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

function all() {
  return Array.from({ length: MANY }, (_, i) => summary(i))
    .map((one) => (one.id === "demo-live" && liveMs() >= CALL_MS ? { ...one, status: "complete" } : one))
    .filter((one) => !deleted.has(one.id));
}

function list(response, query) {
  const words = (query.get("q") ?? "").toLowerCase();
  const found = all().filter(
    (one) =>
      (!query.get("project") || one.project === query.get("project")) &&
      (words.startsWith("credential:") ? one.id === "demo" : one.title.toLowerCase().includes(words)),
  );
  const from = Number(query.get("cursor") || 0);
  const next = from + PAGE < found.length ? String(from + PAGE) : null;
  json(response, { items: found.slice(from, from + PAGE), next_cursor: next });
}

/** What the list and the overview ask for beside the sessions themselves. */
const AROUND = {
  "/api/views": () => ({ items: [] }),
  "/api/sessions/fields": () => ({ items: [], aliases: {} }),
  "/api/sessions/facets": () => ({ sessions: 0, complete: true, facets: {} }),
  "/api/stats": stats,
};

function figures(sessions) {
  const sum = (name) => sessions.reduce((total, one) => total + (one[name] ?? 0), 0);
  const failed = sessions.filter((one) => one.errors > 0).length;
  const some = sessions.length > 0;
  return {
    calls: sessions.length,
    live: 0,
    failed,
    with_errors: failed,
    errors: sum("errors"),
    duration_ms: sum("duration_ms"),
    cost_usd: sum("cost_usd"),
    priced: sessions.length,
    turns: sum("turns"),
    interruptions: sum("interruptions"),
    with_tools: sessions.length,
    with_failed_tools: 0,
    v2v: { p50: some ? 780 : null, p95: some ? 1400 : null },
    first_audio: { p50: some ? 350 : null, p95: some ? 600 : null },
  };
}

function stats(query) {
  const [start, end] = ["start", "end"].map((name) => Date.parse(query.get(name)));
  const stepMs = (end - start) / 24;
  const between = (from, to) =>
    all().filter((one) => Date.parse(one.started_at) >= from && Date.parse(one.started_at) < to);
  const models = [...new Set(all().map((one) => one.model))];
  const iso = (ms) => new Date(ms).toISOString();
  return {
    start: iso(start),
    end: iso(end),
    bucket_seconds: stepMs / 1000,
    total: figures(between(start, end)),
    buckets: Array.from({ length: 24 }, (_, at) => ({
      start: iso(start + at * stepMs),
      ...figures(between(start + at * stepMs, start + (at + 1) * stepMs)),
    })),
    groups: models.map((value) => ({
      value,
      ...figures(between(start, end).filter((one) => one.model === value)),
    })),
  };
}

function projects(response) {
  const names = [...new Set(all().map((one) => one.project))];
  const items = names.map((name) => ({ name, sessions: all().filter((one) => one.project === name).length }));
  json(response, { items });
}

/** A file from memory, with Range as players ask for it. */
function sound(request, response, data) {
  const range = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? "");
  const from = range ? Number(range[1]) : 0;
  const to = range?.[2] ? Number(range[2]) : data.length - 1;
  response.writeHead(range ? 206 : 200, {
    "content-type": "audio/wav",
    "accept-ranges": "bytes",
    "content-length": to - from + 1,
    ...(range ? { "content-range": `bytes ${from}-${to}/${data.length}` } : {}),
  });
  response.end(data.subarray(from, to + 1));
}

/** Peaks as bytes: docs/api.md, Sound. */
function packed({ per_second, user, assistant, heard }) {
  const count = user.length;
  const data = Buffer.alloc(16 + 3 * count);
  data.write("VXPK");
  data.set([1, per_second, 3, 0], 4);
  data.writeUInt32LE(count, 12);
  [user, assistant, heard].forEach((lane, n) => {
    lane.forEach((peak, i) => {
      data[16 + n * count + i] = Math.round(255 * Math.sqrt(peak));
    });
  });
  return data;
}

function session(id) {
  const index = all().findIndex((one) => one.id === id);
  if (index < 0) return null;
  if (id !== "demo-live") return detail(index);
  return { ...detail(1, liveMs()), status: liveMs() < CALL_MS ? "live" : "complete", duration_ms: liveMs() };
}

function stream(response, id) {
  response.writeHead(200, { "content-type": "text/event-stream" });
  const timer = setInterval(() => {
    const trace = session(id);
    response.write(`event: trace\ndata: ${JSON.stringify(trace)}\n\n`);
    if (trace.status === "live") return;
    response.write(`event: end\ndata: ${JSON.stringify({ id, status: trace.status })}\n\n`);
    clearInterval(timer);
    response.end();
  }, 500);
  response.on("close", () => clearInterval(timer));
}

function attachment(request, response, id) {
  const [, spanId, track] = id.split("_");
  const span = SPANS.find((one) => one.id === spanId);
  if (!span) return json(response, { error: { message: "There is no such attachment." } }, 404);
  sound(request, response, wav(span.start_ms, span.end_ms, [track]));
}

function sessionRoute(request, response, [id, part, attachmentId], query) {
  const found = session(id);
  if (!found) return json(response, { error: { message: `There is no session '${id}'.` } }, 404);
  if (request.method === "DELETE") {
    deleted.add(id);
    return json(response, { id });
  }
  const lanes = query.get("track") === "mix" ? ["user", "heard"] : [query.get("track")];
  if (!part) return json(response, found);
  if (part === "end") ended = true;
  if (part === "end") return json(response, { id }, 202);
  if (part === "peaks") return response.end(packed(peaks(found.duration_ms ?? CALL_MS)));
  if (part === "scores") return json(response, { items: [] }, request.method === "POST" ? 201 : 200);
  if (part === "audio")
    return sound(request, response, wav(0, id === "demo-live" ? liveMs() : CALL_MS, lanes));
  if (part === "events") return response.end(events(Number(process.env.VOXGATE_MOCK_EVENTS ?? 12_000)));
  if (part === "stream") return stream(response, id);
  return attachment(request, response, attachmentId);
}

function page(response, path) {
  const wanted = join(APP, normalize(path));
  const file = existsSync(wanted) && statSync(wanted).isFile() ? wanted : join(APP, "index.html");
  response.writeHead(200, {
    "content-type": TYPES[extname(file)] ?? "text/plain",
    "content-security-policy": POLICY,
  });
  createReadStream(file).pipe(response);
}

function signedIn(request) {
  return (request.headers.cookie ?? "").includes("mock=1");
}

function login(request, response) {
  let body = "";
  request.on("data", (part) => {
    body += part;
  });
  request.on("end", () => {
    if (JSON.parse(body).api_key === "wrong")
      return json(response, { error: { message: "This key is not known." } }, 401);
    response.setHeader("set-cookie", "mock=1; HttpOnly; Path=/; SameSite=Strict");
    json(response, { name: "admin", role: "admin", project: null });
  });
}

function logout(response) {
  response.setHeader("set-cookie", "mock=; Path=/; Max-Age=0");
  json(response, {});
}

createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, "http://mock");
  if (!/^\/(api|v1)\//.test(pathname)) return page(response, pathname);
  if (pathname === "/api/login") return login(request, response);
  if (!signedIn(request)) return json(response, { error: { message: "Sign in first." } }, 401);
  if (request.method !== "GET" && request.headers["x-voxgate-csrf"] !== "1") {
    return json(response, { error: { message: "The header x-voxgate-csrf is missing." } }, 403);
  }
  if (pathname === "/api/me") return json(response, { name: "admin", role: "admin", project: null });
  if (pathname === "/api/logout") return logout(response);
  if (pathname === "/api/projects") return projects(response);
  if (AROUND[pathname]) return json(response, AROUND[pathname](searchParams));
  if (pathname === "/api/models")
    return json(response, {
      items: [
        { id: "local", provider: "local" },
        { id: "gpt-realtime-2", provider: "openai" },
      ],
    });
  if (pathname === "/v1/credentials")
    return json(response, { key: "ek_mock", id: "cred_mock", expires_at: 0 });
  if (pathname === "/api/sessions") return list(response, searchParams);
  return sessionRoute(request, response, pathname.split("/").slice(3), searchParams);
})
  .on("upgrade", upgrade)
  .listen(PORT, "127.0.0.1", () => console.log(`mock Voxgate: http://127.0.0.1:${PORT}/#key=vg_mock`));
