import type { Metrics } from "./metrics-types.ts";
import { redactText } from "./redact.ts";
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

/** Alerts leave one at a time, in order, through a bounded queue. Secrets are cut out and long texts cut off here. */
export function createAlerts(options: AlertsOptions): AlertQueue {
  const { sink, log, metrics, queueLimit = 1000 } = options;
  const waiting: Alert[] = [];
  let draining: Promise<void> | undefined;

  const drain = async (): Promise<void> => {
    for (let alert = waiting.shift(); alert !== undefined; alert = waiting.shift()) {
      try {
        await sink(alert);
      } catch (error) {
        log.error({ error, ...summary(alert) }, "alert could not be stored");
      }
    }
    draining = undefined;
  };

  return {
    raise(raised) {
      const alert = trimmed(raised);
      metrics.alertsTotal.inc({ errorCode: alert.errorCode, level: alert.level });
      log[LOG_LEVEL[alert.level]](summary(alert), `alert: ${alert.text}`);
      if (waiting.length >= queueLimit) {
        log.error(summary(alert), "alert dropped: too many wait to be stored");
        return;
      }
      waiting.push(alert);
      draining ??= Promise.resolve().then(drain);
    },
    async flush() {
      while (draining !== undefined) await draining;
    },
  };
}

const LOG_LEVEL = { error: "error", warning: "warn", notice: "info" } as const;

function summary(alert: Alert): object {
  return { errorCode: alert.errorCode, callSid: alert.callSid, resourceSid: alert.resourceSid };
}

function trimmed(alert: Alert): Alert {
  const short = (text: string | undefined, characters: number) =>
    text === undefined ? undefined : redactText(text).slice(0, characters);
  return {
    ...alert,
    text: redactText(alert.text).slice(0, 2048),
    requestUrl: short(alert.requestUrl, 2048),
    requestVariables: short(alert.requestVariables, 4096),
    responseBody: short(alert.responseBody, 4096),
  };
}
