export { type AlertQueue, type AlertsOptions, createAlerts } from "./alerts.ts";
export { type Fault, PlatformError } from "./errors.ts";
export { createLog, type LogOptions } from "./log.ts";
export { createMetrics } from "./metrics.ts";
export type { Counter, Gauge, Histogram, Metrics, RelayKind } from "./metrics-types.ts";
export type { Alert, Alerts, Log } from "./types.ts";
