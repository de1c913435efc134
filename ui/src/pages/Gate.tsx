/** Lets only people in who are signed in; a key in the address signs in by itself. */
import { useQuery } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useEffect, useState } from "react";
import { ApiError } from "../api/client";
import { meQuery, useSignIn } from "../api/queries";
import { Problem } from "../components/Problem";
import { takeKey } from "../lib/key-from-address";

// Read once, before the router sees the address, so that the key never gets into the history.
const keyFromAddress = takeKey();

export function Gate({ children }: { children: ReactNode }) {
  const [automatic, setAutomatic] = useState(keyFromAddress !== null);
  const signIn = useSignIn();
  const me = useQuery({ ...meQuery, enabled: !automatic });
  const { mutate } = signIn;

  useEffect(() => {
    if (keyFromAddress) mutate(keyFromAddress, { onSettled: () => setAutomatic(false) });
    // The printed address pasted over an open page changes the fragment only: nothing is loaded again.
    const pasted = () => {
      const key = takeKey();
      if (key) mutate(key);
    };
    window.addEventListener("hashchange", pasted);
    return () => window.removeEventListener("hashchange", pasted);
  }, [mutate]);

  if (me.data) return children;
  if (automatic || me.isPending) return <div aria-busy="true" className="sign-in" />;
  if (me.error) {
    return (
      <main className="sign-in">
        <Problem error={me.error} retry={() => void me.refetch()} />
      </main>
    );
  }
  return <SignIn signIn={signIn} />;
}

function signInMessage(error: Error): string {
  if (error instanceof ApiError && (error.status === 401 || error.status === 403)) {
    return "This key was not accepted. Copy it whole, from vg_ to its end.";
  }
  return error.message;
}

function SignIn({ signIn }: { signIn: ReturnType<typeof useSignIn> }) {
  const [key, setKey] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    signIn.mutate(key.trim());
  };
  return (
    <main className="sign-in">
      <form className="panel" onSubmit={submit}>
        <div>
          <h1>Sign in to Voxgate</h1>
          <p className="muted">
            With an API key. <code>voxgate serve</code> printed one at its first start;{" "}
            <code>voxgate keys create</code> makes another.
          </p>
        </div>
        <label className="field">
          <span>API key</span>
          <input
            className="input mono"
            type="password"
            autoComplete="current-password"
            placeholder="vg_…"
            required
            data-testid="api-key"
            value={key}
            onChange={(event) => setKey(event.target.value)}
          />
        </label>
        {signIn.error && (
          <p role="alert" className="bad">
            {signInMessage(signIn.error)}
          </p>
        )}
        <button type="submit" className="button primary" data-testid="sign-in" disabled={signIn.isPending}>
          {signIn.isPending ? "Signing in…" : "Sign in"}
        </button>
      </form>
    </main>
  );
}
