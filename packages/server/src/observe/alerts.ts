import type { Metrics } from "./metrics-types.ts";
import type { Alert, Alerts, Log } from "./types.ts";

export interface AlertsOptions {
  /** Makes one alert durable. */
  readonly sink: (alert: Alert) => Promise<void>;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Alerts that may wait for the sink; more are counted, logged and dropped. Default 1,000. */
  readonly queueLimit?: number;
}

export interface AlertQueue extends Alerts {
  /** Resolves when everything raised so far was handed to the sink, or failed there. */
  flush(): Promise<void>;
}

/** Alerts leave one at a time, in order, through a bounded queue. */
export function createAlerts(options: AlertsOptions): AlertQueue {
  throw new Error(`alerts ${options.queueLimit}`);
}
