import type { Metrics } from "./metrics-types.ts";

/** A registry of its own: two in one process do not meet. */
export function createMetrics(): Metrics {
  throw new Error("metrics");
}
