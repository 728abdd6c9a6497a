import {
  collectDefaultMetrics,
  Histogram,
  Counter as PromCounter,
  Gauge as PromGauge,
  Registry,
} from "prom-client";
import type { Gauge, Metrics } from "./metrics-types.ts";

/** A registry of its own: two in one process do not meet. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });

  const gauge = (name: string, help: string): Gauge => {
    const made = new PromGauge({ name, help, registers: [registry] });
    return {
      set: (value) => made.set(value),
      inc: (by = 1) => made.inc(by),
      dec: (by = 1) => made.dec(by),
    };
  };
  /** `fold` turns what the caller says into label values, of which there are few. */
  const counter = <Labels extends object>(
    name: string,
    help: string,
    labelNames: readonly string[],
    fold: (labels: Labels) => Record<string, string>,
  ) => {
    const made = new PromCounter({ name, help, labelNames: [...labelNames], registers: [registry] });
    return { inc: (labels: Labels, by = 1) => made.inc(fold(labels), by) };
  };
  const httpRequests = new Histogram({
    name: "callfork_http_requests_seconds",
    help: "Time from a request's arrival to the end of its answer",
    labelNames: ["method", "route", "status"],
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
    registers: [registry],
  });
  const mediaWorkers = new PromGauge({
    name: "callfork_media_workers",
    help: "Threads that carry media, by what carries their packets",
    labelNames: ["io"],
    registers: [registry],
  });
  const few = bounded(32);

  return {
    callsLive: gauge("callfork_calls_live", "Calls that are not over"),
    callsTotal: counter(
      "callfork_calls_total",
      "Calls that are over, by final status",
      ["direction", "status"],
      (labels) => ({ direction: few("direction", labels.direction), status: few("status", labels.status) }),
    ),
    siprecSessionsLive: gauge("callfork_siprec_sessions_live", "Forks whose recorder has answered"),
    siprecSessionsTotal: counter(
      "callfork_siprec_sessions_total",
      "Forks that are over, by how they ended",
      ["result"],
      (labels) => ({ result: labels.result }),
    ),
    connectorAttemptsTotal: counter(
      "callfork_connector_attempts_total",
      "Recorders called, by connector and what came of it",
      ["connector", "result"],
      (labels) => ({ connector: few("connector", plain(labels.connector)), result: labels.result }),
    ),
    connectorMissedPacketsTotal: counter(
      "callfork_connector_missed_packets_total",
      "RTP packets that no recorder got, between one recorder and the next",
      ["connector"],
      (labels) => ({ connector: few("connector", plain(labels.connector)) }),
    ),
    siprecTranscodingsTotal: counter(
      "callfork_siprec_transcodings_total",
      "Tracks that began to be transcoded for their recorder, by codecs",
      ["from", "to"],
      (labels) => ({ from: few("codec", plain(labels.from)), to: few("codec", plain(labels.to)) }),
    ),
    recordingsLive: gauge("callfork_recordings_live", "Recordings in progress on this recorder"),
    recordingsTotal: counter(
      "callfork_recordings_total",
      "Recordings that were closed, by final status",
      ["status"],
      (labels) => ({ status: labels.status }),
    ),
    recordingWarningsTotal: counter(
      "callfork_recording_warnings_total",
      "Warnings on recordings, by code",
      ["code"],
      (labels) => ({ code: few("code", plain(labels.code)) }),
    ),
    alertsTotal: counter("callfork_alerts_total", "Alerts raised", ["code_class", "level"], (labels) => ({
      code_class: few("code_class", codeClass(labels.errorCode)),
      level: few("level", labels.level),
    })),
    sipMessagesTotal: counter(
      "callfork_sip_messages_total",
      "SIP messages by method or status class",
      ["direction", "kind"],
      (labels) => ({ direction: labels.direction, kind: sipKind(labels.kind) }),
    ),
    sipRefusedTotal: counter(
      "callfork_sip_refused_total",
      "SIP requests and streams refused before they reached a call",
      ["reason"],
      (labels) => ({ reason: few("reason", labels.reason) }),
    ),
    mediaPacketsTotal: counter(
      "callfork_media_packets_total",
      "RTP packets by what became of them",
      ["kind"],
      (labels) => ({ kind: labels.kind }),
    ),
    mediaWorkers: (io, workers) => mediaWorkers.set({ io }, workers),
    mediaIoTotal: counter(
      "callfork_media_io_total",
      "Datagrams of media, and faults of their way that were survived",
      ["event"],
      (labels) => ({ event: few("event", labels.event) }),
    ),
    httpRequestSeconds: {
      observe: ({ method, route, status }, seconds) =>
        httpRequests.observe({ method, route, status: String(status) }, seconds),
    },
    outboxPending: gauge("callfork_outbox_pending", "Callbacks that wait for delivery"),
    outboxDeliveredTotal: counter(
      "callfork_outbox_delivered_total",
      "Attempts to deliver a callback, by result",
      ["result"],
      (labels) => ({ result: labels.result }),
    ),
    contentType: registry.contentType,
    text: () => registry.metrics(),
  };
}

/** A name as people give it, as a label value: short, and of characters that no system trips over. */
const plain = (name: string): string => name.replace(/[^A-Za-z0-9._-]/g, "_").slice(0, 40);

/** RFC 3261, 3262, 3311, 3428, 3515, 3903, 6086, 6665; any other method is a peer's invention. */
const METHODS = new Set(
  "INVITE ACK BYE CANCEL OPTIONS REGISTER PRACK UPDATE MESSAGE REFER PUBLISH INFO SUBSCRIBE NOTIFY".split(
    " ",
  ),
);

function sipKind(kind: string | number): string {
  const status = Number(kind);
  if (Number.isInteger(status) && status >= 100 && status <= 699) return `${Math.floor(status / 100)}xx`;
  return METHODS.has(String(kind)) ? String(kind) : "other";
}

/** 31940 → 319xx: a hundred codes share a series. */
function codeClass(code: number): string {
  return Number.isInteger(code) && code >= 100 && code < 100_000 ? `${Math.floor(code / 100)}xx` : "other";
}

/** The first `limit` values of a label are kept, later ones become "other": no peer can grow the registry. */
function bounded(limit: number): (label: string, value: string) => string {
  const seen = new Map<string, Set<string>>();
  return (label, value) => {
    const values = seen.get(label) ?? new Set<string>();
    seen.set(label, values);
    if (values.has(value)) return value;
    if (values.size >= limit) return "other";
    values.add(value);
    return value;
  };
}
