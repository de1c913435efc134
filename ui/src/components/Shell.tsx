/** The frame of every page: brand, navigation, who is signed in, theme. */
import { useQuery } from "@tanstack/react-query";
import { Link, Outlet, useLocation } from "@tanstack/react-router";
import { useState } from "react";
import { meQuery, useSignOut } from "../api/queries";
import { applyTheme, storedTheme, THEMES, type Theme } from "../lib/theme";
import { Icon, type IconName } from "./Icon";

const THEME_ICON: Record<Theme, IconName> = { system: "auto", dark: "moon", light: "sun" };

function ThemeToggle() {
  const [theme, setTheme] = useState(storedTheme);
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? "system";
  const change = () => {
    applyTheme(next);
    setTheme(next);
  };
  const label = `Theme: ${theme}. Change to ${next}`;
  return (
    <button type="button" className="button icon quiet" onClick={change} aria-label={label} title={label}>
      <Icon name={THEME_ICON[theme]} />
    </button>
  );
}

function Account() {
  const { data: me } = useQuery(meQuery);
  const signOut = useSignOut();
  if (!me) return null;
  const project = me.project ? ` · ${me.project}` : "";
  return (
    <>
      <span className="muted hide-small" title="The API key you are signed in with">
        {me.name} · {me.role}
        {project}
      </span>
      <button
        type="button"
        className="button icon quiet"
        aria-label="Sign out"
        title="Sign out"
        onClick={() => signOut.mutate()}
      >
        <Icon name="out" />
      </button>
    </>
  );
}

/** A session's page belongs to the list of sessions. */
const ACTIVE = { "data-status": "active" } as const;

export function Shell() {
  const inSession = useLocation({ select: ({ pathname }) => pathname.startsWith("/sessions/") });
  return (
    <>
      <header className="topbar">
        <Link to="/" className="brand" aria-label="Voxgate: sessions">
          <img src="/favicon.svg" width="22" height="22" alt="" />
          <span>Voxgate</span>
        </Link>
        <nav className="nav" aria-label="Pages">
          <Link to="/" activeOptions={{ exact: true, includeSearch: false }} {...(inSession ? ACTIVE : {})}>
            Sessions
          </Link>
          <Link to="/playground">Playground</Link>
        </nav>
        <span className="grow" />
        <Account />
        <ThemeToggle />
      </header>
      <Outlet />
    </>
  );
}
