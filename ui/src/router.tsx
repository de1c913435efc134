/** The addresses of the app and what each may carry in its query. */
import { createRootRoute, createRoute, createRouter } from "@tanstack/react-router";
import { Shell } from "./components/Shell";
import { NotFound } from "./pages/NotFound";
import { PlaygroundPage } from "./pages/PlaygroundPage";
import { SessionPage } from "./pages/SessionPage";
import { SessionsPage } from "./pages/SessionsPage";

export interface SessionsSearch {
  project?: string;
  q?: string;
}

export type SessionTab = "conversation" | "events" | "details";

export interface SessionSearch {
  tab?: SessionTab;
  /** Seconds into the call. */
  t?: number;
}

const text = (value: unknown) => (typeof value === "string" && value ? value : undefined);

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound });

const sessions = createRoute({
  getParentRoute: () => root,
  path: "/",
  component: SessionsPage,
  validateSearch: (search): SessionsSearch => {
    const project = text(search.project);
    const q = text(search.q);
    return { ...(project ? { project } : {}), ...(q ? { q } : {}) };
  },
});

const session = createRoute({
  getParentRoute: () => root,
  path: "/sessions/$id",
  component: SessionPage,
  validateSearch: (search): SessionSearch => {
    const t = Number(search.t);
    const tab = search.tab === "events" || search.tab === "details" ? search.tab : undefined;
    return { ...(tab ? { tab } : {}), ...(search.t !== undefined && t >= 0 ? { t } : {}) };
  },
});

const playground = createRoute({
  getParentRoute: () => root,
  path: "/playground",
  component: PlaygroundPage,
});

export const router = createRouter({
  routeTree: root.addChildren([sessions, session, playground]),
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
