/** What the management pages ask for: credentials, API keys, providers, settings and rules. */
import { infiniteQueryOptions, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { get, post, remove, withQuery } from "./client";
import type {
  KeyPage,
  NewKey,
  NewKeyRequest,
  ProviderCheck,
  Providers,
  RulesPage,
  SettingPage,
} from "./schema";
import type { Page } from "./types";

/** What `GET /v1/credentials` shows: everything but the key. */
export interface ShownCredential {
  id: string;
  created_at: number;
  expires_at: number;
  revoked_at: number | null;
  model: string | string[] | null;
  project: string | null;
  minted_by: string | null;
  max_uses: number | null;
  max_tokens: number | null;
  max_audio_seconds: number | null;
  max_cost_usd: number | null;
  used: {
    uses: number;
    tokens: number | null;
    audio_seconds: number | null;
    cost_usd: number | null;
  } | null;
  [scope: string]: unknown;
}

/** The answer of `POST /v1/credentials`: the key is in it this once. */
export interface MintedCredential {
  id: string;
  key: string;
  expires_at: number;
}

export interface JsonSchema {
  type?: string;
  $ref?: string;
  $defs?: Record<string, JsonSchema>;
  anyOf?: JsonSchema[];
  items?: JsonSchema;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  enum?: unknown[];
  const?: unknown;
  default?: unknown;
  minimum?: number;
  exclusiveMinimum?: number;
  maximum?: number;
  maxLength?: number;
  additionalProperties?: boolean | JsonSchema;
}

const LIST_REFRESH_MS = 5_000;

export const credentialsQuery = infiniteQueryOptions({
  queryKey: ["credentials"],
  queryFn: ({ pageParam, signal }) =>
    get<Page<ShownCredential>>(withQuery("/v1/credentials", { limit: 50, cursor: pageParam }), signal),
  initialPageParam: "",
  getNextPageParam: (last) => last.next_cursor || undefined,
  refetchInterval: LIST_REFRESH_MS,
});

export const credentialSchemaQuery = queryOptions({
  queryKey: ["credential-schema"],
  queryFn: ({ signal }) => get<JsonSchema>("/api/credentials/schema", signal),
  staleTime: Number.POSITIVE_INFINITY,
});

export function useMint() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: Record<string, unknown>) => post<MintedCredential>("/v1/credentials", body),
    onSuccess: () => client.invalidateQueries({ queryKey: ["credentials"] }),
  });
}

export interface Revoking {
  id: string;
  endSessions: boolean;
  /** Of an API key: also the credentials that it has made. */
  credentials?: boolean;
}

export function useRevokeCredential() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ id, endSessions }: Revoking) =>
      remove(withQuery(`/v1/credentials/${encodeURIComponent(id)}`, { end_sessions: String(endSessions) })),
    onSuccess: () => client.invalidateQueries({ queryKey: ["credentials"] }),
  });
}

export const keysQuery = queryOptions({
  queryKey: ["keys"],
  queryFn: ({ signal }) => get<KeyPage>("/api/keys", signal),
});

export function useCreateKey() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: NewKeyRequest) => post<NewKey>("/api/keys", body),
    onSuccess: () => client.invalidateQueries({ queryKey: ["keys"] }),
  });
}

export function useRotateKey() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ id, graceSeconds }: { id: string; graceSeconds: number }) =>
      post<NewKey>(`/api/keys/${encodeURIComponent(id)}/rotate`, { grace_seconds: graceSeconds }),
    onSuccess: () => client.invalidateQueries({ queryKey: ["keys"] }),
  });
}

export function useRevokeKey() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ id, endSessions, credentials = false }: Revoking) =>
      remove(
        withQuery(`/api/keys/${encodeURIComponent(id)}`, {
          credentials: String(credentials),
          end_sessions: String(endSessions),
        }),
      ),
    onSuccess: () => client.invalidateQueries({ queryKey: ["keys"] }),
  });
}

export const providersQuery = queryOptions({
  queryKey: ["providers"],
  queryFn: ({ signal }) => get<Providers>("/api/providers", signal),
  refetchInterval: LIST_REFRESH_MS,
});

export function useCheckProvider(name: string) {
  return useMutation({
    mutationFn: (model: string | null) =>
      post<ProviderCheck>(`/api/providers/${encodeURIComponent(name)}/check`, { model }),
  });
}

export const settingsQuery = queryOptions({
  queryKey: ["settings"],
  queryFn: ({ signal }) => get<SettingPage>("/api/settings", signal),
});

export const rulesQuery = queryOptions({
  queryKey: ["rules"],
  queryFn: ({ signal }) => get<RulesPage>("/api/privacy", signal),
});
