// Runs before the first paint, so that a chosen theme does not flash. A file of its own: no inline scripts.
try {
  const theme = localStorage.getItem("voxgate-theme");
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
} catch {
  // Storage is blocked: the system's theme applies.
}
