/** Where the app starts: signs in with a key from the address, then draws the pages. */
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { queries } from "./lib/query-client";
import { Gate } from "./pages/Gate";
import { beginPage, router } from "./router";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/parts.css";

beginPage();
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
