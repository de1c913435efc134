/** Made from the control plane's OpenAPI document by `make types`. Do not edit. */

export interface Agreement {
  name: string;
  source: "human" | "code" | "judge";
  /** Whose scores: `rule:<id>` of a rule. */
  author: string;
  pairs: number;
  /** The share of pairs in which both say the same. */
  equal: number;
  /** Cohen's kappa: 1 is full agreement, 0 what chance gives. */
  kappa: number | null;
  /** Why there is none. */
  kappa_missing: string | null;
  /** Empty where there are more than 12 categories. */
  confusion: ConfusionCell[];
  /** Of the pairs in which both are numbers. */
  mean_absolute_difference: number | null;
  /** The furthest apart first, 50 at most. */
  disagreements: Disagreement[];
}

export interface AgreementPage {
  items: Agreement[];
}

export interface Attachment {
  id: string;
  name: string;
  content_type: string;
  duration_ms: number | null;
  /** The track that it is a piece of. */
  track: string | null;
  url: string;
}

export interface Case {
  input: CaseInput;
  expected?: CaseExpected;
  metadata?: Record<string, unknown>;
  tags?: string[];
  /** The recorded call it came from. */
  session_id?: string | null;
  span_id?: string | null;
  id: string;
}

export interface CaseCall {
  name: string;
  /** Null: whatever they are. */
  arguments?: Record<string, unknown> | null;
}

export interface CaseClip {
  content_type: string;
  /** A blob of the data set. */
  blob?: string | null;
  /** A file, where the case is of a local list. */
  path?: string | null;
  duration_ms?: number | null;
}

export interface CaseDeleted {
  id: string;
  deleted: true;
  version: number;
}

export interface CaseExpected {
  transcript?: string | null;
  /** Null: nothing is expected of them. */
  tool_calls?: CaseCall[] | null;
  value?: unknown;
}

/** What goes in; `kind` says which of the fields count. */
export interface CaseInput {
  kind: "text" | "audio" | "turn" | "session" | "simulation" | "value";
  text?: string | null;
  clips?: CaseClip[];
  /** A blob of the data set: an event log. */
  recording?: string | null;
  /** Which of the recording's turns, from 0. */
  turn?: number | null;
  scenario?: Record<string, unknown> | null;
  /** Session settings that come along. */
  config?: Record<string, unknown> | null;
  value?: unknown;
}

export interface CasePage {
  items: Case[];
  next_cursor: string | null;
  version: number;
}

export interface CasePair {
  case_id: string;
  before: number;
  after: number;
  delta: number;
  change: "improved" | "regressed" | "same";
}

export interface CasesFromSessions {
  /** The newest one; as before where nothing was different. */
  version: number;
  /** Of these cases, in their order. */
  ids: string[];
  /** Of cases that were made before: they stay as they are. */
  known: string[];
  /** Sessions that nothing can be made of yet: they still run. */
  skipped: string[];
}

export interface CasesImported {
  version: number;
  /** How many there were in the body. */
  cases: number;
}

export interface CasesKept {
  ids: string[];
}

export interface CasesRequest {
  cases: StoredBody[];
}

export interface CasesSaved {
  /** The newest one; as before where nothing was different. */
  version: number;
  /** Of these cases, in their order. */
  ids: string[];
}

export interface CheckRequest {
  model?: string | null;
}

export interface CheckStep {
  name: "key" | "models" | "call";
  status: "passed" | "failed" | "skipped";
  said: string;
  advice: string;
  ms: number | null;
}

export interface Child {
  id: string;
  project: string;
  model: string;
  provider: string;
  status: "live" | "complete" | "interrupted" | "failed";
  started_at: string;
  ended_at: string | null;
  duration_ms: number | null;
  turns: number | null;
  interruptions: number | null;
  cost_usd: number | null;
  tags: string[];
  metadata: Record<string, unknown>;
  title: string | null;
  credential_id: string | null;
  /** When the recording is deleted; null: never by itself. */
  delete_after: string | null;
  /** A value that could not be measured is null. */
  metrics: Record<string, unknown>;
  /** How many in lists; in a trace the errors themselves. */
  errors: number | unknown[] | null;
  /** `realtime` of calls, else as `chat/completions`. */
  endpoint: string | null;
  /** The session that it works for, if it says one. */
  parent: Parent | null;
  /** Names of the tools that were called. */
  tools: string[];
  /** Null while the call runs, and without sound. */
  wave: Wave | null;
  /** Where the filter's words are; null if it has none. */
  excerpt: Excerpt | null;
  /** By name; the mean where there are several. */
  scores: Record<string, number>;
  /** The span that it works under: a tool's, else the root. */
  parent_span_id: string | null;
}

export interface Comparison {
  before: string;
  after: string;
  confidence: number;
  method: string;
  scores: ScoreCompared[];
  only_before: string[];
  only_after: string[];
  only_in_one: string[];
}

export interface ConfusionCell {
  /** A label, or a value as text. */
  human: string;
  scorer: string;
  count: number;
}

export interface Dataset {
  id: string;
  project: string;
  name: string;
  description: string;
  /** The newest; 0 without any case so far. */
  version: number;
  /** Of the newest version. */
  cases: number;
  metadata: Record<string, unknown>;
  created_by: string;
  created_at: string;
  updated_at: string;
}

export interface DatasetAsked {
  id: string;
  /** By default the newest. */
  version?: number | null;
  /** Not needed: it is known. */
  name?: string | null;
}

/** What is not given stays as it is. */
export interface DatasetEdit {
  name?: string | null;
  description?: string | null;
  metadata?: Record<string, unknown> | null;
}

export interface DatasetPage {
  items: Dataset[];
  next_cursor: string | null;
}

export interface DatasetVersion {
  version: number;
  cases: number;
  added: number;
  changed: number;
  deleted: number;
  created_by: string;
  created_at: string;
}

export interface DatasetVersionOf {
  id: string;
  name: string;
  version: number;
}

export interface DatasetVersionPage {
  items: DatasetVersion[];
  next_cursor: string | null;
}

export interface DeleteRequest {
  ids?: string[] | null;
  /** A filter, instead of ids. */
  q?: string | null;
  project?: string | null;
  /** `next_cursor` of the request before. */
  cursor?: string | null;
}

export interface Deleted {
  id: string;
  deleted: true;
}

export interface DeletedSessions {
  /** Of those that are deleted. */
  ids: string[];
  /** Of those that still run: they are left. */
  live: string[];
  /** Of a filter: there are more; ask again with it. */
  next_cursor: string | null;
}

export interface Disagreement {
  session_id: string;
  span_id: string | null;
  human: SaidOf;
  scorer: SaidOf;
}

export interface Ending {
  id: string;
  status: "ending";
}

export interface ErrorBody {
  error: ErrorDetail;
}

export interface ErrorDetail {
  message: string;
  type: string;
  code: string | null;
  param: string | null;
}

/** A stretch of the call that a score is about. */
export interface Evidence {
  span_id?: string | null;
  start_ms: number;
  end_ms: number;
}

export interface Excerpt {
  speaker: "title" | "user" | "assistant" | "tool";
  parts: ExcerptPart[];
}

export interface ExcerptPart {
  /** Plain text, whatever it looks like. */
  text: string;
  /** Whether it is what was looked for. */
  hit: boolean;
}

export interface Experiment {
  id: string;
  project: string;
  name: string;
  status: "running" | "complete" | "failed" | "cancelled";
  dataset: DatasetVersionOf | null;
  task: Record<string, unknown>;
  scorers: Record<string, unknown>[];
  trials: number;
  seed: number;
  /** Planned. */
  cases: number | null;
  /** Stored: one for each case and trial. */
  results: number;
  /** How many of them are errors. */
  errors: number;
  scores: Record<string, ScoreSummary>;
  /** Of the results whose cost is known. */
  cost_usd: number | null;
  baseline: string | null;
  scored_from: string | null;
  git: Git | null;
  metadata: Record<string, unknown>;
  created_by: string;
  created_at: string;
  ended_at: string | null;
}

/** Of a list or of logs. What the task needs of it is the task's to say. */
export interface ExperimentCase {
  input: CaseInput;
  expected?: CaseExpected;
  metadata?: Record<string, unknown>;
  tags?: string[];
  /** The recorded call it came from. */
  session_id?: string | null;
  span_id?: string | null;
  id: string;
}

export interface ExperimentCasePage {
  items: Case[];
  next_cursor: string | null;
  /** Of the data set; null where the cases are the experiment's own. */
  version: number | null;
}

export interface ExperimentCases {
  cases: ExperimentCase[];
}

/** What is not given stays as it is. Only while it runs. */
export interface ExperimentEdit {
  status?: "running" | "complete" | "failed" | "cancelled" | null;
  cases?: number | null;
  baseline?: string | null;
  metadata?: Record<string, unknown> | null;
}

export interface ExperimentPage {
  items: Experiment[];
  next_cursor: string | null;
}

export interface FacetValue {
  value: string;
  count: number;
}

export interface Facets {
  /** How many sessions were counted: the newest that the filter finds. */
  sessions: number;
  /** Whether these are all that it finds. */
  complete: boolean;
  /** By field of the filter, most frequent first. */
  facets: Record<string, FacetValue[]>;
}

export interface Figures {
  calls: number;
  live: number;
  failed: number;
  with_errors: number;
  errors: number;
  duration_ms: number;
  /** Of the calls whose price is known. */
  cost_usd: number;
  /** How many these are. */
  priced: number;
  turns: number;
  interruptions: number;
  with_tools: number;
  with_failed_tools: number;
  /** Voice to voice in ms: of each call its own median. */
  v2v: Percentiles;
  /** Of the model's first audio, likewise. */
  first_audio: Percentiles;
  /** Of the score that is asked for; null where no session has it. */
  score: MeanScore | null;
}

export interface FilterField {
  name: string;
  kind: "text" | "list" | "choice" | "time" | "duration" | "money" | "ratio" | "number" | "words";
  help: string;
  operators: string[];
  /** Values as they can be written; empty for any text. */
  examples: string;
  /** Whether `has:` can ask for it. */
  can_miss: boolean;
  /** Whether `sort` takes it. */
  sortable: boolean;
}

export interface FilterFields {
  items: FilterField[];
  aliases: Record<string, string>;
}

export interface FoundParent {
  session_id: string;
  /** A function call or a span of it; null: the session. */
  ref: string | null;
  /** Whether there is such a session, and in the same project. */
  found: boolean;
}

export interface FromSessions {
  sessions?: string[] | null;
  /** A filter, in the place of `sessions`. */
  q?: string | null;
  /** For `q`; by default the data set's. */
  project?: string | null;
  /** One case for each session, for each turn, or of these turns' spans. */
  turns?: "session" | "each" | string[];
  /** `said`: the transcript and the tool calls as they were. */
  expected?: "said" | "none";
  tags?: string[];
}

export interface Git {
  branch?: string | null;
  commit?: string | null;
  dirty?: boolean | null;
}

export interface ImportAnswer {
  items: ImportedSession[];
}

export interface ImportedSession {
  id: string;
  /** `exists`: it was there before and stays as it is. `checked`: a dry run. */
  status: "imported" | "exists" | "checked";
  project: string;
  model: string | null;
  events: number;
  started_at: string;
  duration_ms: number;
  /** What the log's times are; what depends on made-up ones is not measured. */
  times: "exact" | "absolute" | "relative" | "made up";
  warnings: string[];
}

export interface Key {
  id: string;
  name: string;
  role: "admin" | "mint" | "read" | "connect";
  project: string | null;
  /** Enough of the key to recognise it. */
  key_hint: string;
  created_at: string;
  expires_at: string | null;
  /** To the minute. */
  last_used_at: string | null;
  /** Until when a text that a rotation replaced is good; null when none is. */
  old_secret_until: string | null;
  max_requests_per_minute: number | null;
  max_tokens_per_minute: number | null;
}

export interface KeyPage {
  items: Key[];
  next_cursor: string | null;
}

export interface ListedSession {
  id: string;
  project: string;
  model: string;
  provider: string;
  status: "live" | "complete" | "interrupted" | "failed";
  started_at: string;
  ended_at: string | null;
  duration_ms: number | null;
  turns: number | null;
  interruptions: number | null;
  cost_usd: number | null;
  tags: string[];
  metadata: Record<string, unknown>;
  title: string | null;
  credential_id: string | null;
  /** When the recording is deleted; null: never by itself. */
  delete_after: string | null;
  /** A value that could not be measured is null. */
  metrics: Record<string, unknown>;
  /** How many in lists; in a trace the errors themselves. */
  errors: number | unknown[] | null;
  /** `realtime` of calls, else as `chat/completions`. */
  endpoint: string | null;
  /** The session that it works for, if it says one. */
  parent: Parent | null;
  /** Names of the tools that were called. */
  tools: string[];
  /** Null while the call runs, and without sound. */
  wave: Wave | null;
  /** Where the filter's words are; null if it has none. */
  excerpt: Excerpt | null;
  /** By name; the mean where there are several. */
  scores: Record<string, number>;
}

export interface LoginRequest {
  api_key: string;
}

export interface Me {
  name: string;
  role: "admin" | "mint" | "read" | "connect";
  /** The only project that the key sees; null for all. */
  project: string | null;
}

export interface MeanScore {
  /** Over sessions, of each the mean of its scores of that name. */
  mean: number;
  /** How many have one. */
  sessions: number;
}

export interface Model {
  id: string;
  provider: string | null;
  owned_by: string | null;
}

export interface ModelPage {
  items: Model[];
  next_cursor: string | null;
}

export interface NewDataset {
  /** Once in its project. Without `@`, which stands before a version. */
  name: string;
  /** By default the key's, else `default`. */
  project?: string | null;
  description?: string;
  metadata?: Record<string, unknown>;
}

export interface NewExperiment {
  name: string;
  /** By default the data set's, else the key's, else `default`. */
  project?: string | null;
  /** Null: its cases are sent by themselves. */
  dataset?: DatasetAsked | null;
  /** All that decides what comes out. */
  task?: Record<string, unknown>;
  scorers?: Record<string, unknown>[];
  trials?: number;
  seed?: number;
  /** How many are planned. */
  cases?: number | null;
  /** The experiment that it is compared with. */
  baseline?: string | null;
  /** The one whose outputs are scored again. */
  scored_from?: string | null;
  git?: Git | null;
  metadata?: Record<string, unknown>;
}

export interface NewKey {
  id: string;
  name: string;
  role: "admin" | "mint" | "read" | "connect";
  project: string | null;
  /** Enough of the key to recognise it. */
  key_hint: string;
  created_at: string;
  expires_at: string | null;
  /** To the minute. */
  last_used_at: string | null;
  /** Until when a text that a rotation replaced is good; null when none is. */
  old_secret_until: string | null;
  max_requests_per_minute: number | null;
  max_tokens_per_minute: number | null;
  /** The key itself. It is shown this once and kept nowhere. */
  key: string;
}

export interface NewKeyRequest {
  name: string;
  role: "admin" | "mint" | "read" | "connect";
  project?: string | null;
  expires_at?: string | null;
  /** Of what is asked with it, over all workers; a call counts when it opens. */
  max_requests_per_minute?: number | null;
  /** Of requests that are no calls. */
  max_tokens_per_minute?: number | null;
}

export interface NewRule {
  name: string;
  /** Null: of all that the key sees. */
  project?: string | null;
  enabled?: boolean;
  /** As in lists of sessions; empty: all. */
  filter?: string;
  sampling_rate?: number;
  scorers: RuleScorer[];
  alert?: RuleAlert | null;
}

export interface NewScore {
  name: string;
  /** The span it is about; null: the session. */
  span_id?: string | null;
  value?: number | null;
  /** For example `pass` or `fail`. */
  label?: string | null;
  comment?: string | null;
  evidence?: Evidence[];
  /** `expected`, `params`, `scorer_version`, `n`, `unit` and so on. */
  details?: Record<string, unknown>;
  source?: "human" | "code" | "judge";
  /** Null: the name of the API key. */
  author?: string | null;
  /** In place of what this author has said under this name of this span. */
  replace?: boolean;
}

/** What a session works for, as its caller said (`x-voxgate-parent`). */
export interface Parent {
  session_id: string;
  /** A function call or a span of it; null: the session. */
  ref: string | null;
}

/** Over the calls that have a value; null where none has. */
export interface Percentiles {
  p50: number | null;
  p95: number | null;
}

export interface Project {
  name: string;
  sessions: number;
  last_session_at: string | null;
}

export interface ProjectPage {
  items: Project[];
  next_cursor: string | null;
}

export interface Provider {
  name: string;
  kind: string;
  /** Null for the embedded provider, which is in the box. */
  base_url: string | null;
  /** Of its Realtime API; null where it has none. */
  dialect: string | null;
  api_version: string | null;
  /** Also where it needs none. */
  has_key: boolean;
  /** The variable with its key; `settings` where it stands there; null: no key is sent. */
  key_from: string | null;
  accepts_client_keys: boolean;
  /** What callers can ask for and routes lead here. */
  models: string[];
  /** What it calls a model, where that differs. */
  renamed: Record<string, string>;
  connect_timeout_seconds: number;
  rest_seconds: number;
  health: ProviderHealth;
}

export interface ProviderCheck {
  provider: string;
  model: string | null;
  status: "passed" | "failed" | "skipped";
  said: string;
  steps: CheckStep[];
}

export interface ProviderHealth {
  /** `failing`: the last try failed; `resting`: it is tried after the others of its routes. */
  state: "untried" | "answering" | "failing" | "resting";
  answered_at?: string | null;
  failed_at?: string | null;
  /** Why the last failed try did; for the role `admin`. */
  failure?: string | null;
  rests_for_seconds?: number | null;
}

export interface Providers {
  items: Provider[];
  routes: RouteShape[];
  /** Names that clients ask for, and the model that serves each. */
  aliases: Record<string, string>;
  /** Each knows its own health of a provider; this is the answering one's. */
  workers: number;
}

export interface Rebuilding {
  id: string;
  /** `rebuilding`: it takes longer than this answer waits; `current`: there was no need to. */
  status: "rebuilt" | "rebuilding" | "current";
}

export interface Recorded {
  audio: boolean;
  text: boolean;
}

export interface Result {
  case_id: string;
  trial: number;
  output?: TaskOutput | null;
  scores?: ResultScore[];
  /** Of the harness or the provider. */
  error?: string | null;
  started_at?: string | null;
  duration_ms?: number | null;
  cost_usd?: number | null;
}

export interface ResultPage {
  items: Result[];
  next_cursor: string | null;
}

export interface ResultScore {
  name: string;
  /** Null only with a `reason_missing`. */
  value: number | null;
  n?: number;
  unit?: string | null;
  direction?: "max" | "min";
  evidence?: Evidence[];
  params?: Record<string, unknown>;
  scorer_version?: string | null;
  reason_missing?: string | null;
  explanation?: string | null;
  label?: string | null;
  source?: "human" | "code" | "judge";
  span_id?: string | null;
}

export interface ResultsRequest {
  results: Result[];
}

export interface ResultsStored {
  /** `[case_id, trial]` of each that was stored. */
  stored: [string, number][];
  /** Of those that had been there before, and stay. */
  known: [string, number][];
}

export interface Revoked {
  id: string;
  revoked: true;
}

export interface RotateRequest {
  /** How long the text before stays good; 0 ends it now. */
  grace_seconds?: number;
}

export interface RouteShape {
  model: string;
  providers: string[];
  upstream_model: string | null;
  /** Whether it is there because none was written. */
  is_default: boolean;
}

export interface Rule {
  id: string;
  /** Null: of all projects. */
  project: string | null;
  name: string;
  enabled: boolean;
  filter: string;
  sampling_rate: number;
  scorers: RuleScorer[];
  alert: RuleAlert | null;
  activity: RuleActivity;
  created_by: string;
  created_at: string;
  updated_at: string;
}

/** What has become of the rule. */
export interface RuleActivity {
  /** Sessions that have its scores, with or without values. */
  scored: number;
  /** When the last one was scored. */
  scored_at: string | null;
  /** Of those, sessions with a score that could not be made. */
  missing: number;
  /** The last one: `session_id`, `score`, `message`, `at`. */
  last_missing: Record<string, unknown> | null;
  /** `firing`, the rolling `value`, and `since` when it is so. */
  alert: Record<string, unknown> | null;
}

export interface RuleAlert {
  score: string;
  /** Over how many sessions the mean rolls. */
  window: number;
  threshold: number;
  /** `max`: more is better, so it is sent below the threshold. */
  direction: "max" | "min";
  webhook: string;
}

/** What is not given stays as it is. */
export interface RuleEdit {
  name?: string | null;
  enabled?: boolean | null;
  filter?: string | null;
  sampling_rate?: number | null;
  scorers?: RuleScorer[] | null;
  /** Null takes it away. */
  alert?: RuleAlert | null;
}

export interface RulePage {
  items: Rule[];
  next_cursor: string | null;
}

export interface RuleRun {
  id: string;
  rule_id: string;
  q: string;
  status: "running" | "complete" | "failed" | "cancelled";
  /** Sessions that the rule's filter and `q` find; 0 until it has begun. */
  total: number;
  /** How many of them were looked at. */
  done: number;
  /** How many of those have the rule's scores; the others are not sampled. */
  scored: number;
  failed: number;
  error: string | null;
  created_by: string;
  created_at: string;
  ended_at: string | null;
}

export interface RuleRunPage {
  items: RuleRun[];
}

export interface RuleScorer {
  name: string;
  params?: Record<string, unknown>;
}

export interface Rules {
  /** Null: what holds for every project. */
  project: string | null;
  audio: boolean;
  text: boolean;
  retention_days: number | null;
  audio_retention_days: number | null;
  /** Patterns by their names. */
  redact: Record<string, string>;
  allowed_origins: string[] | null;
}

export interface RulesPage {
  items: Rules[];
  next_cursor?: string | null;
}

export interface RunRequest {
  /** Only those that this filter finds too. */
  q?: string;
}

export interface SaidOf {
  value: number | null;
  label: string | null;
}

export interface Score {
  id: string;
  name: string;
  /** The span it is about; null: the session. */
  span_id: string | null;
  value: number | null;
  label: string | null;
  comment: string | null;
  evidence: Evidence[];
  details: Record<string, unknown>;
  source: "human" | "code" | "judge";
  author: string;
  created_at: string;
}

export interface ScoreCompared {
  name: string;
  direction: "max" | "min";
  unit: string | null;
  before: number | null;
  after: number | null;
  delta: number | null;
  interval: [number, number] | null;
  p: number | null;
  adjusted_p: number | null;
  verdict: "improved" | "regressed" | "same";
  note: string | null;
  paired: number;
  improved: number;
  regressed: number;
  same: number;
  pairs: CasePair[];
}

export interface ScorePage {
  items: Score[];
  next_cursor: string | null;
}

export interface ScoreSummary {
  /** Over the cases, of each the mean of its trials. */
  mean: number | null;
  /** Of that mean; null with fewer than two cases. */
  stderr: number | null;
  /** Values. */
  n: number;
  /** Scores without a value. */
  missing: number;
  direction: "max" | "min";
  unit: string | null;
}

export interface SessionCount {
  sessions: number;
  /** How many of them still run. */
  live: number;
}

export interface SessionPage {
  items: ListedSession[];
  next_cursor: string | null;
}

export interface Setting {
  /** As in `voxgate.toml`, with dots. */
  key: string;
  /** `(set)` for a secret. */
  value: unknown;
  /** A flag, a variable, a file and its line, or `default`. */
  source: string;
  secret: boolean;
}

export interface SettingPage {
  items: Setting[];
  next_cursor?: string | null;
}

export interface Span {
  id: string;
  parent_id: string | null;
  type: "session" | "turn" | "user" | "response" | "tool";
  name: string;
  start_ms: number | null;
  end_ms: number | null;
  status: string | null;
  error: unknown;
  input: unknown;
  output: unknown;
  usage: Record<string, unknown> | null;
  cost_usd: number | null;
  metrics: Record<string, unknown>;
  attachments: Attachment[];
  /** Its place among spans that start together. */
  position: number;
}

export interface Stats {
  /** Of the first bucket. */
  start: string;
  end: string;
  bucket_seconds: number;
  total: Figures;
  /** Without gaps. */
  buckets: StatsBucket[];
  /** Most calls first, at most 12. */
  groups: StatsGroup[];
}

export interface StatsBucket {
  calls: number;
  live: number;
  failed: number;
  with_errors: number;
  errors: number;
  duration_ms: number;
  /** Of the calls whose price is known. */
  cost_usd: number;
  /** How many these are. */
  priced: number;
  turns: number;
  interruptions: number;
  with_tools: number;
  with_failed_tools: number;
  /** Voice to voice in ms: of each call its own median. */
  v2v: Percentiles;
  /** Of the model's first audio, likewise. */
  first_audio: Percentiles;
  /** Of the score that is asked for; null where no session has it. */
  score: MeanScore | null;
  start: string;
}

export interface StatsGroup {
  calls: number;
  live: number;
  failed: number;
  with_errors: number;
  errors: number;
  duration_ms: number;
  /** Of the calls whose price is known. */
  cost_usd: number;
  /** How many these are. */
  priced: number;
  turns: number;
  interruptions: number;
  with_tools: number;
  with_failed_tools: number;
  /** Voice to voice in ms: of each call its own median. */
  v2v: Percentiles;
  /** Of the model's first audio, likewise. */
  first_audio: Percentiles;
  /** Of the score that is asked for; null where no session has it. */
  score: MeanScore | null;
  value: string;
}

export interface StoredBlob {
  /** How cases name it. */
  blob: string;
  content_type: string;
  /** Of WAV and FLAC; null: not known. */
  duration_ms: number | null;
}

/** Of a data set: all that it needs is there too. */
export interface StoredBody {
  input: CaseInput;
  expected?: CaseExpected;
  metadata?: Record<string, unknown>;
  tags?: string[];
  /** The recorded call it came from. */
  session_id?: string | null;
  span_id?: string | null;
  id?: string | null;
}

export interface TagsChanged {
  /** Of the sessions that have these tags now. */
  ids: string[];
  /** Of a filter: there are more; ask again with it. */
  next_cursor: string | null;
}

export interface TagsRequest {
  ids?: string[] | null;
  /** A filter, instead of ids. */
  q?: string | null;
  project?: string | null;
  /** `next_cursor` of the request before. */
  cursor?: string | null;
  add?: string[];
  remove?: string[];
}

export interface TaskOutput {
  text?: string | null;
  tool_calls?: ToolCallMade[];
  /** The recorded session that it was made in. */
  session_id?: string | null;
  turn_span_id?: string | null;
  value?: unknown;
  metadata?: Record<string, unknown>;
  cost_usd?: number | null;
}

export interface ToolCallMade {
  name: string;
  arguments: Record<string, unknown> | string;
  result?: unknown;
  span_id?: string | null;
  start_ms?: number | null;
  end_ms?: number | null;
  status?: string;
}

/** A session with its spans and everything else that the trace knows of the call. */
export interface Trace {
  id: string;
  project: string;
  model: string;
  provider: string;
  status: "live" | "complete" | "interrupted" | "failed";
  started_at: string;
  ended_at: string | null;
  duration_ms: number | null;
  turns: number | null;
  interruptions: number | null;
  cost_usd: number | null;
  tags: string[];
  metadata: Record<string, unknown>;
  title: string | null;
  credential_id: string | null;
  /** When the recording is deleted; null: never by itself. */
  delete_after: string | null;
  /** A value that could not be measured is null. */
  metrics: Record<string, unknown>;
  /** How many in lists; in a trace the errors themselves. */
  errors: number | unknown[] | null;
  spans: Span[];
  usage: Record<string, unknown> | null;
  /** The session's cost by modality (`parts`); null: a price is not known. */
  cost: Record<string, unknown> | null;
  close: Record<string, unknown> | null;
  tracks: Record<string, unknown>;
  /** Whether the call's `audio` and its `text` were recorded at all. */
  recorded: Recorded | null;
  events_count: number | null;
  /** Oldest first. */
  scores: Score[];
  /** The session that it works for. */
  parent: FoundParent | null;
  /** Sessions that work for it, the oldest first, at most 500. */
  children: Child[];
  /** What they cost; it is not in `cost_usd`. Null: nothing known. */
  children_cost_usd: number | null;
}

/** Without a model: what the settings of the session's project say. */
export interface TranscribeRequest {
  model?: string | null;
  /** Of what is said, as `en`. */
  language?: string | null;
  /** Words that the model may not know, such as names. */
  prompt?: string | null;
}

export interface Transcribed {
  id: string;
  /** `transcribing`: it takes longer than this answer waits; `nothing`: nothing is without words. */
  status: "transcribed" | "transcribing" | "nothing";
  /** As in the trace: how many `items` have words of ours, and which have `failed`. */
  transcription: Record<string, unknown> | null;
}

export interface View {
  id: string;
  name: string;
  search: Record<string, string>;
  shared: boolean;
  /** Whether the asking key made it. */
  own: boolean;
  created_by: string;
  created_at: string;
}

export interface ViewPage {
  items: View[];
  next_cursor: string | null;
}

export interface ViewRequest {
  name: string;
  /** The list's `q`, `project`, `sort`, `order`. */
  search: Record<string, string>;
  /** For everybody who sees its project (admin). */
  shared?: boolean;
}

/** A call in 60 bars, each a hexadecimal digit: its loudest moment, from 0 (silence) to f. */
export interface Wave {
  user: string;
  /** As it was heard. */
  assistant: string;
}
