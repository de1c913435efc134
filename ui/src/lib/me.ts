/** Who is signed in, and what they may do. */
import { useQuery } from "@tanstack/react-query";
import { meQuery } from "../api/queries";
import type { Me } from "../api/types";

export function useMe(): Me | null {
  return useQuery(meQuery).data ?? null;
}

/** Whether to show what only an admin may do. */
export function useIsAdmin(): boolean {
  return useMe()?.role === "admin";
}
