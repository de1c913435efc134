import { Link } from "@tanstack/react-router";

export function NotFound() {
  return (
    <main id="main" className="page">
      <h1>There is no page at this address</h1>
      <p className="muted">
        Go back to the <Link to="/">sessions</Link>.
      </p>
    </main>
  );
}
