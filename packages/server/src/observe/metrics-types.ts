/** Counts up, never down. `by` defaults to 1. */
export interface Counter<Labels extends object> {
  inc(labels: Labels, by?: number): void;
}

/** A level that goes up and down. */
export interface Gauge {
  set(value: number): void;
  inc(by?: number): void;
  dec(by?: number): void;
}

/** A distribution of durations; values in seconds, as Prometheus wants them. */
export interface Histogram<Labels extends object> {
  observe(labels: Labels, seconds: number): void;
}

export type RelayKind = "received" | "relayed" | "forked" | "recorded" | "dropped" | "lost";

/**
 * Everything the platform counts, each with the few labels it has. No label ever holds an identifier, an address
 * or a URL: label values that a peer can invent are folded into known ones, and the rest becomes `other`.
 */
export interface Metrics {
  /** callfork_calls_live */
  readonly callsLive: Gauge;
  /** callfork_calls_total: counted when a call is over, under its final status. */
  readonly callsTotal: Counter<{ readonly direction: string; readonly status: string }>;
  /** callfork_siprec_sessions_live: forks whose recorder has answered. */
  readonly siprecSessionsLive: Gauge;
  /** callfork_siprec_sessions_total: counted when a fork is over. */
  readonly siprecSessionsTotal: Counter<{ readonly result: "completed" | "failed" | "lost" }>;
  /** callfork_connector_attempts_total: recorders called, and those lost while they recorded. Operators name connectors. */
  readonly connectorAttemptsTotal: Counter<{
    readonly connector: string;
    readonly result: "answered" | "failed" | "lost";
  }>;
  /** callfork_connector_missed_packets_total: between one recorder and the next. */
  readonly connectorMissedPacketsTotal: Counter<{ readonly connector: string }>;
  /** callfork_siprec_transcodings_total: tracks that began to be transcoded for their recorder. */
  readonly siprecTranscodingsTotal: Counter<{ readonly from: string; readonly to: string }>;
  /** callfork_recordings_live */
  readonly recordingsLive: Gauge;
  /** callfork_recordings_total: counted when a recording is closed. */
  readonly recordingsTotal: Counter<{ readonly status: "completed" | "interrupted" | "failed" }>;
  /** callfork_recording_warnings_total: each warning of each recording once, see docs/recorder.md. */
  readonly recordingWarningsTotal: Counter<{ readonly code: string }>;
  /** callfork_alerts_total; `code_class` is 319xx for 31940. */
  readonly alertsTotal: Counter<{ readonly errorCode: number; readonly level: string }>;
  /** callfork_sip_messages_total; `kind` is the method, or the status code (counted as its class, 2xx). */
  readonly sipMessagesTotal: Counter<{
    readonly direction: "in" | "out";
    readonly kind: string | number;
  }>;
  /** callfork_sip_refused_total: requests and streams refused before they reached a call. */
  readonly sipRefusedTotal: Counter<{ readonly reason: string }>;
  /** callfork_media_packets_total */
  readonly mediaPacketsTotal: Counter<{ readonly kind: RelayKind }>;
  /** callfork_media_workers, by what carries their packets. */
  mediaWorkers(io: string, workers: number): void;
  /** callfork_media_io_total: datagrams received and sent, and what went wrong with them and was survived. */
  readonly mediaIoTotal: Counter<{ readonly event: string }>;
  /** callfork_http_requests_seconds; `route` is the route's pattern, never the path asked for. */
  readonly httpRequestSeconds: Histogram<{
    readonly method: string;
    readonly route: string;
    readonly status: number;
  }>;
  /** callfork_outbox_pending: callbacks that wait for delivery. */
  readonly outboxPending: Gauge;
  /** callfork_outbox_delivered_total */
  readonly outboxDeliveredTotal: Counter<{ readonly result: "delivered" | "retried" | "given_up" }>;
  /** Media type of `text()`. */
  readonly contentType: string;
  /** The Prometheus exposition of all of the above and of the process. */
  text(): Promise<string>;
}
