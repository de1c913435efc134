/** The address that `voxgate serve` prints carries the key after `#`: taken once, and removed from the address bar. */

/** The key in a fragment such as `#key=vg_…`; null when there is none. */
export function keyInFragment(fragment: string): string | null {
  return new URLSearchParams(fragment.replace(/^#/, "")).get("key") || null;
}

export function takeKey(): string | null {
  const key = keyInFragment(window.location.hash);
  if (key) window.history.replaceState(null, "", window.location.pathname + window.location.search);
  return key;
}
