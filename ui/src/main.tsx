/** Where the app starts: signs in with a key from the address, then draws the pages. */
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { ApiError } from "./api/client";
import { Gate } from "./pages/Gate";
import { router } from "./router";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/sessions.css";
import "./styles/session.css";
import "./styles/timeline.css";
import "./styles/session-parts.css";
import "./styles/playground.css";

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // Asking again does not mend what the server refused; a lost connection may come back.
      retry: (failures, error) => failures < 2 && !(error instanceof ApiError && error.status >= 400),
      refetchOnWindowFocus: true,
    },
  },
});

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={queries}>
        <Gate>
          <RouterProvider router={router} />
        </Gate>
      </QueryClientProvider>
    </StrictMode>,
  );
}
