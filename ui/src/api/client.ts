/** The one way to the server: same origin, cookie, a CSRF header on writes; failures become ApiError with advice. */
import { earlyAnswer } from "./early";

const ADVICE: Record<number, string> = {
  401: "Sign in again with an API key.",
  403: "This key may not do that. Sign in with a key that has the rights.",
  404: "It may have been deleted, or the address is wrong.",
  429: "Too many requests. Wait a moment, then try again.",
  503: "The gateway is stopping or starting. Try again in a few seconds.",
};

export class ApiError extends Error {
  readonly status: number;
  readonly advice: string;
  /** The field or parameter that was wrong, where the server names one. */
  readonly param: string | null;

  constructor(status: number, message: string, param: string | null = null) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.param = param;
    this.advice = ADVICE[status] ?? (status >= 500 ? "Look at the log of `voxgate serve`." : "");
  }
}

/** The message of an answer that is not 2xx: `{"error": {"message"}}`, FastAPI's `detail`, or the status. */
export function errorMessage(status: number, body: unknown): string {
  if (body && typeof body === "object") {
    const { error, detail } = body as { error?: unknown; detail?: unknown };
    if (typeof error === "string") return error;
    if (error && typeof (error as { message?: unknown }).message === "string") {
      return (error as { message: string }).message;
    }
    if (typeof detail === "string") return detail;
  }
  return `The server answered with status ${status}.`;
}

async function failure(response: Response): Promise<ApiError> {
  let body: unknown = null;
  try {
    body = await response.json();
  } catch {
    // Not JSON (a proxy's page, say): the status alone has to do.
  }
  const param = (body as { error?: { param?: unknown } } | null)?.error?.param;
  const message = errorMessage(response.status, body);
  return new ApiError(response.status, message, typeof param === "string" ? param : null);
}

/** The answer, whatever its status. */
async function answered(path: string, init: RequestInit): Promise<Response> {
  const headers = new Headers(init.headers);
  if (init.method && init.method !== "GET") headers.set("x-voxgate-csrf", "1");
  if (init.body) headers.set("content-type", "application/json");
  try {
    return await fetch(path, { ...init, headers, credentials: "same-origin" });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, "The gateway cannot be reached. Is `voxgate serve` running?");
  }
}

export async function send(path: string, init: RequestInit = {}): Promise<Response> {
  const early = init.method ? null : await earlyAnswer(path);
  const response = early ?? (await answered(path, init));
  if (!response.ok) throw await failure(response);
  return response;
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await send(path, { signal: signal ?? null })).json() as Promise<T>;
}

async function write<T>(method: string, path: string, body?: unknown): Promise<T> {
  const response = await send(path, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return (text ? JSON.parse(text) : null) as T;
}

export const post = <T>(path: string, body?: unknown) => write<T>("POST", path, body);
export const put = <T>(path: string, body: unknown) => write<T>("PUT", path, body);
export const patch = <T>(path: string, body: unknown) => write<T>("PATCH", path, body);
export const remove = <T = unknown>(path: string) => write<T>("DELETE", path);

/** `/path?a=1`, without the parameters that are empty. */
export function withQuery(path: string, query: Record<string, string | number | null | undefined>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") search.set(name, String(value));
  }
  const text = search.toString();
  return text ? `${path}?${text}` : path;
}
