/** The pages of the navigation, and which roles may see them. The server refuses the others anyway. */
import type { Me } from "../api/types";

export type Role = Me["role"];

interface PageLink {
  to:
    | "/"
    | "/overview"
    | "/datasets"
    | "/experiments"
    | "/rules"
    | "/playground"
    | "/credentials"
    | "/keys"
    | "/providers"
    | "/settings";
  label: string;
  roles: readonly Role[];
  /** The second of two keys: `g s`. */
  key: string;
}

export const PAGES: readonly PageLink[] = [
  { to: "/", label: "Sessions", roles: ["admin", "read"], key: "s" },
  { to: "/overview", label: "Overview", roles: ["admin", "read"], key: "o" },
  { to: "/datasets", label: "Data sets", roles: ["admin", "read"], key: "d" },
  { to: "/experiments", label: "Experiments", roles: ["admin", "read"], key: "e" },
  { to: "/rules", label: "Rules", roles: ["admin", "read"], key: "u" },
  { to: "/playground", label: "Playground", roles: ["admin", "mint"], key: "p" },
  { to: "/credentials", label: "Credentials", roles: ["admin", "mint", "read"], key: "c" },
  { to: "/keys", label: "API keys", roles: ["admin"], key: "k" },
  { to: "/providers", label: "Providers", roles: ["admin", "read"], key: "r" },
  { to: "/settings", label: "Settings", roles: ["admin", "read"], key: "," },
];

export function pagesOf(role: Role | undefined): readonly PageLink[] {
  return PAGES.filter((page) => role !== undefined && page.roles.includes(role));
}
