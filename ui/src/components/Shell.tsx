/** The frame of every page: brand, navigation, who is signed in, theme, keyboard help, toasts. */
import { Link, Outlet, useLocation, useNavigate } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { useSignOut } from "../api/queries";
import { useKeys } from "../lib/keys";
import { useMe } from "../lib/me";
import { pagesOf } from "../lib/pages";
import { applyTheme, storedTheme, THEMES, type Theme } from "../lib/theme";
import { Button } from "./Button";
import { EmptyState } from "./EmptyState";
import type { IconName } from "./Icon";
import { KeyHelp } from "./KeyHelp";
import { Toasts } from "./Toasts";

const THEME_ICON: Record<Theme, IconName> = { system: "auto", dark: "moon", light: "sun" };

function ThemeToggle() {
  const [theme, setTheme] = useState(storedTheme);
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? "system";
  const change = () => {
    applyTheme(next);
    setTheme(next);
  };
  return (
    <Button
      kind="quiet"
      icon={THEME_ICON[theme]}
      aria-label={`Theme: ${theme}. Change to ${next}`}
      onClick={change}
    />
  );
}

function Account() {
  const me = useMe();
  const signOut = useSignOut();
  if (!me) return null;
  return (
    <>
      <span className="account muted" title="The API key you are signed in with">
        {me.name}
        {me.role !== me.name && ` · ${me.role}`}
        {me.project && ` · ${me.project}`}
      </span>
      <Button kind="quiet" icon="out" aria-label="Sign out" onClick={() => signOut.mutate()} />
    </>
  );
}

/** The page of one belongs to the list of all. */
const ACTIVE = { "data-status": "active" } as const;

function Navigation() {
  const pages = pagesOf(useMe()?.role);
  const path = useLocation({ select: ({ pathname }) => pathname });
  const listed = path.startsWith("/sessions/") ? "/" : path === "/compare" ? "/experiments" : null;
  const nav = useRef<HTMLElement>(null);
  // On a phone there is room for three: the page that is open is one of them.
  // biome-ignore lint/correctness/useExhaustiveDependencies: with each address another link is the active one
  useEffect(() => {
    const link = nav.current?.querySelector<HTMLElement>("[data-status=active]");
    if (nav.current && link)
      nav.current.scrollLeft = link.offsetLeft - (nav.current.clientWidth - link.offsetWidth) / 2;
  }, [path]);
  const navigate = useNavigate();
  useKeys(
    "Pages",
    pages.map((page) => ({
      key: `g ${page.key}`,
      what: `Go to ${page.label}`,
      act: () => void navigate({ to: page.to }),
    })),
  );
  return (
    <nav className="nav" aria-label="Pages" ref={nav}>
      {pages.map(({ to, label }) => (
        <Link
          key={to}
          to={to}
          activeOptions={{ exact: to === "/", includeSearch: false }}
          {...(to === listed ? ACTIVE : {})}
        >
          {label}
        </Link>
      ))}
    </nav>
  );
}

/** A key that has no page at all: it is for programs. */
function NoPages() {
  const me = useMe();
  return (
    <main className="page" id="main">
      <EmptyState title={`The role “${me?.role}” has no pages`}>
        This API key is for programs that make calls. Sign in with a key of the role <code>read</code> or{" "}
        <code>admin</code> to look at sessions.
      </EmptyState>
    </main>
  );
}

export function Shell() {
  const me = useMe();
  const hasPages = pagesOf(me?.role).length > 0;
  return (
    <>
      <a className="skip" href="#main">
        Skip to the content
      </a>
      <header className="topbar">
        <Link to="/" className="brand" aria-label="Voxgate: first page">
          <img src="/favicon.svg" width="22" height="22" alt="" />
          <span>Voxgate</span>
        </Link>
        <Navigation />
        <span className="grow" />
        <Account />
        <KeyHelp />
        <ThemeToggle />
      </header>
      {hasPages ? <Outlet /> : <NoPages />}
      <Toasts />
    </>
  );
}
