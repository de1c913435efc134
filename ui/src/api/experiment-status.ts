/** What an experiment may be: in a module of its own, since the addresses know it too. */
import type { Experiment } from "./schema";

export type ExperimentStatus = Experiment["status"];
export const EXPERIMENT_STATUSES: readonly ExperimentStatus[] = [
  "running",
  "complete",
  "failed",
  "cancelled",
];
