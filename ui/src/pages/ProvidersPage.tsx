/** Where calls go: the providers with their health, and the routes that lead to them. */
import { useQuery } from "@tanstack/react-query";
import { providersQuery } from "../api/management";
import type { Providers } from "../api/schema";
import { Awaited } from "../components/Awaited";
import { ProviderCard } from "../components/manage/ProviderCard";
import { ScrollX } from "../components/ScrollX";
import { useIsAdmin } from "../lib/me";
import { usePageTitle } from "../lib/page-title";
import "../styles/manage.css";

function Routes({ found }: { found: Providers }) {
  return (
    <section className="panel" aria-label="Routes">
      <div className="panel-head">
        <h2>Routes</h2>
        <span className="muted">
          {found.routes[0]?.is_default
            ? "None is written in voxgate.toml; this one is there by itself"
            : "The first that fits a model serves it; its providers are dialled in order"}
        </span>
      </div>
      <ScrollX name="Routes, scrolling">
        <table className="table cards" aria-label="Routes">
          <thead>
            <tr>
              <th scope="col">Model</th>
              <th scope="col">Providers, in order</th>
              <th scope="col">Served by</th>
            </tr>
          </thead>
          <tbody>
            {found.routes.map((route) => (
              <tr key={route.model}>
                <td>
                  <code>{route.model}</code>
                </td>
                <td data-label="Providers">{route.providers.join(" → ")}</td>
                <td data-label="Served by">
                  {route.upstream_model ?? <span className="muted">the same</span>}
                </td>
              </tr>
            ))}
            {Object.entries(found.aliases).map(([name, live]) => (
              <tr key={name} data-testid="alias">
                <td>
                  <code>{name}</code>
                </td>
                <td className="muted" data-label="Providers">
                  as {live} is routed
                </td>
                <td data-label="Served by">
                  <code>{live}</code>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </ScrollX>
    </section>
  );
}

export function ProvidersPage() {
  usePageTitle("Providers");
  const isAdmin = useIsAdmin();
  const found = useQuery(providersQuery);
  return (
    <main id="main" className="page stack">
      <div className="page-head">
        <h1>Providers and routes</h1>
        <span className="muted">
          Written in <code>voxgate.toml</code>
        </span>
      </div>
      <Awaited of={found} name="Providers" lines={3} height={110} />
      {found.data && (
        <>
          {found.data.workers > 1 && (
            <p className="muted">
              Each of the {found.data.workers} workers knows its own health of a provider; shown is that of
              the one that answered.
            </p>
          )}
          <div className="providers">
            {found.data.items.map((provider) => (
              <ProviderCard key={provider.name} provider={provider} mayCheck={isAdmin} />
            ))}
          </div>
          <Routes found={found.data} />
        </>
      )}
    </main>
  );
}
