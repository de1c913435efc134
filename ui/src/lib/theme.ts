/** Dark, light, or the system's choice; kept in the browser. public/theme.js applies it before the first paint. */

export type Theme = "system" | "dark" | "light";
const KEY = "voxgate-theme";
export const THEMES: Theme[] = ["system", "dark", "light"];

export function storedTheme(): Theme {
  const value = document.documentElement.dataset.theme;
  return value === "dark" || value === "light" ? value : "system";
}

export function applyTheme(theme: Theme): void {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    if (theme === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
  } catch {
    // Storage is blocked: the choice lasts until the page is left.
  }
  window.dispatchEvent(new Event("voxgate-theme"));
}
