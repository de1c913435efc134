/** What the server answered, kept for the pages. */
import { QueryClient } from "@tanstack/react-query";
import { ApiError } from "../api/client";

export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // Asking again does not mend what the server refused; a lost connection may come back.
      retry: (failures, error) => failures < 2 && !(error instanceof ApiError && error.status >= 400),
      refetchOnWindowFocus: true,
    },
  },
});
