/** The addresses of the app and what each may carry in its query. Each page is a piece of script of its own. */
import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  redirect,
} from "@tanstack/react-router";
import { EXPERIMENT_STATUSES, type ExperimentStatus } from "./api/experiment-status";
import { meQuery, sessionQuery } from "./api/queries";
import { Shell } from "./components/Shell";
import { pagesOf } from "./lib/pages";
import { queries } from "./lib/query-client";
import { NotFound } from "./pages/NotFound";

export interface SessionsSearch {
  project?: string;
  q?: string;
  sort?: string;
  order?: "asc";
}

export type OverviewRange = "24h" | "7d" | "30d" | "90d";
export type OverviewGroup = "model" | "project" | "tag";

export interface OverviewSearch {
  project?: string;
  q?: string;
  range?: OverviewRange;
  by?: OverviewGroup;
  score?: string;
}

const SESSION_TABS = ["config", "usage", "metrics", "events", "scores"] as const;
export type SessionTab = "conversation" | (typeof SESSION_TABS)[number];

export interface SessionSearch {
  tab?: SessionTab;
  /** Seconds into the call. */
  t?: number;
}

export interface DatasetSearch {
  /** Left out: the newest. */
  version?: number;
  case?: string;
}

export interface ExperimentsSearch {
  /** Its id. */
  dataset?: string;
  status?: ExperimentStatus;
  name?: string;
}

const CHANGES = ["regressed", "improved", "same", "errors", "missing"] as const;
export type ShownCases = (typeof CHANGES)[number];

export interface ExperimentSearch {
  case?: string;
  /** From 0. */
  trial?: number;
  /** By which it is sorted. */
  score?: string;
  show?: ShownCases;
}

export interface CompareSearch extends Omit<ExperimentSearch, "trial"> {
  /** Ids of experiments. */
  before?: string;
  after?: string;
}

const whole = (value: unknown) =>
  Number.isInteger(Number(value)) && value !== undefined && value !== "" && Number(value) >= 0
    ? Number(value)
    : undefined;
const text = (value: unknown) => (typeof value === "string" && value ? value : undefined);

function oneOf<T extends string>(value: unknown, possible: readonly T[]): T | undefined {
  return possible.find((one) => one === value);
}

/** Without the parts that are not there, so that they are not in the address either. */
function given<T extends object>(search: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(search).filter(([, value]) => value !== undefined)) as T;
}

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound });

const sessions = createRoute({
  getParentRoute: () => root,
  path: "/",
  component: lazyRouteComponent(() => import("./pages/SessionsPage"), "SessionsPage"),
  // A key that may not read sessions begins at the first page that it has.
  beforeLoad: () => {
    const first = pagesOf(queries.getQueryData(meQuery.queryKey)?.role)[0];
    if (first && first.to !== "/") throw redirect({ to: first.to });
  },
  validateSearch: (search): SessionsSearch =>
    given<SessionsSearch>({
      project: text(search.project),
      q: text(search.q),
      sort: text(search.sort),
      order: oneOf(search.order, ["asc"]),
    }),
});

const session = createRoute({
  getParentRoute: () => root,
  path: "/sessions/$id",
  component: lazyRouteComponent(() => import("./pages/SessionPage"), "SessionPage"),
  // The trace comes while the page's script does. Not while the pointer only passes: a long one costs the server much.
  loader: ({ params, preload }) => {
    if (!preload) void queries.prefetchQuery(sessionQuery(params.id));
  },
  // What was only passed over has to be loaded yet.
  preloadStaleTime: 0,
  validateSearch: (search): SessionSearch => {
    const t = Number(search.t);
    return given<SessionSearch>({
      tab: oneOf(search.tab, SESSION_TABS),
      t: search.t !== undefined && t >= 0 ? t : undefined,
    });
  },
});

const overview = createRoute({
  getParentRoute: () => root,
  path: "/overview",
  component: lazyRouteComponent(() => import("./pages/OverviewPage"), "OverviewPage"),
  validateSearch: (search): OverviewSearch =>
    given<OverviewSearch>({
      project: text(search.project),
      q: text(search.q),
      range: oneOf(search.range, ["24h", "7d", "30d", "90d"]),
      by: oneOf(search.by, ["model", "project", "tag"]),
      score: text(search.score),
    }),
});

const playground = createRoute({
  getParentRoute: () => root,
  path: "/playground",
  component: lazyRouteComponent(() => import("./pages/PlaygroundPage"), "PlaygroundPage"),
});

const credentials = createRoute({
  getParentRoute: () => root,
  path: "/credentials",
  component: lazyRouteComponent(() => import("./pages/CredentialsPage"), "CredentialsPage"),
});

const keys = createRoute({
  getParentRoute: () => root,
  path: "/keys",
  component: lazyRouteComponent(() => import("./pages/KeysPage"), "KeysPage"),
});

const providers = createRoute({
  getParentRoute: () => root,
  path: "/providers",
  component: lazyRouteComponent(() => import("./pages/ProvidersPage"), "ProvidersPage"),
});

const datasets = createRoute({
  getParentRoute: () => root,
  path: "/datasets",
  component: lazyRouteComponent(() => import("./pages/DatasetsPage"), "DatasetsPage"),
});

const dataset = createRoute({
  getParentRoute: () => root,
  path: "/datasets/$id",
  component: lazyRouteComponent(() => import("./pages/DatasetPage"), "DatasetPage"),
  validateSearch: (search): DatasetSearch =>
    given<DatasetSearch>({ version: whole(search.version), case: text(search.case) }),
});

const experiments = createRoute({
  getParentRoute: () => root,
  path: "/experiments",
  component: lazyRouteComponent(() => import("./pages/ExperimentsPage"), "ExperimentsPage"),
  validateSearch: (search): ExperimentsSearch =>
    given<ExperimentsSearch>({
      dataset: text(search.dataset),
      status: oneOf(search.status, EXPERIMENT_STATUSES),
      name: text(search.name),
    }),
});

const experiment = createRoute({
  getParentRoute: () => root,
  path: "/experiments/$id",
  component: lazyRouteComponent(() => import("./pages/ExperimentPage"), "ExperimentPage"),
  validateSearch: (search): ExperimentSearch =>
    given<ExperimentSearch>({
      case: text(search.case),
      trial: whole(search.trial),
      score: text(search.score),
      show: oneOf(search.show, CHANGES),
    }),
});

const compare = createRoute({
  getParentRoute: () => root,
  path: "/compare",
  component: lazyRouteComponent(() => import("./pages/ComparePage"), "ComparePage"),
  validateSearch: (search): CompareSearch =>
    given<CompareSearch>({
      before: text(search.before),
      after: text(search.after),
      case: text(search.case),
      score: text(search.score),
      show: oneOf(search.show, CHANGES),
    }),
});

const rules = createRoute({
  getParentRoute: () => root,
  path: "/rules",
  component: lazyRouteComponent(() => import("./pages/RulesPage"), "RulesPage"),
});

const settings = createRoute({
  getParentRoute: () => root,
  path: "/settings",
  component: lazyRouteComponent(() => import("./pages/SettingsPage"), "SettingsPage"),
});

export const router = createRouter({
  routeTree: root.addChildren([
    sessions,
    session,
    overview,
    playground,
    datasets,
    dataset,
    experiments,
    experiment,
    compare,
    rules,
    credentials,
    keys,
    providers,
    settings,
  ]),
  scrollRestoration: true,
  // The page's script comes while the pointer is on its way.
  defaultPreload: "intent",
});

/** Begins with the script of the page that the address names, before it is known who is signed in. */
export function beginPage(): void {
  const [, , foundRoute] = router.getMatchedRoutes(window.location.pathname);
  if (foundRoute) void router.loadRouteChunk(foundRoute);
}

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
