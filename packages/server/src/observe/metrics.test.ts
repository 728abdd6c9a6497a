import assert from "node:assert/strict";
import { test } from "node:test";
import { createMetrics } from "./metrics.ts";

test("every metric appears under its published name", async () => {
  const metrics = createMetrics();
  metrics.callsLive.inc();
  metrics.callsTotal.inc({ direction: "inbound", status: "completed" });
  metrics.siprecSessionsLive.set(2);
  metrics.siprecSessionsTotal.inc({ result: "failed" });
  metrics.connectorAttemptsTotal.inc({ connector: "rec one", result: "answered" });
  metrics.connectorMissedPacketsTotal.inc({ connector: "rec one" }, 12);
  metrics.recordingsLive.dec();
  metrics.recordingsTotal.inc({ status: "interrupted" });
  metrics.alertsTotal.inc({ errorCode: 31940, level: "error" });
  metrics.sipMessagesTotal.inc({ direction: "in", kind: "INVITE" });
  metrics.sipMessagesTotal.inc({ direction: "out", kind: 183 });
  metrics.sipRefusedTotal.inc({ reason: "acl" });
  metrics.mediaPacketsTotal.inc({ kind: "forked" }, 50);
  metrics.httpRequestSeconds.observe({ method: "GET", route: "/healthz", status: 200 }, 0.003);
  metrics.outboxPending.set(4);
  metrics.outboxDeliveredTotal.inc({ result: "delivered" });
  const text = await metrics.text();
  for (const line of [
    "callfork_calls_live 1",
    'callfork_calls_total{direction="inbound",status="completed"} 1',
    "callfork_siprec_sessions_live 2",
    'callfork_siprec_sessions_total{result="failed"} 1',
    'callfork_connector_attempts_total{connector="rec_one",result="answered"} 1',
    'callfork_connector_missed_packets_total{connector="rec_one"} 12',
    "callfork_recordings_live -1",
    'callfork_recordings_total{status="interrupted"} 1',
    'callfork_alerts_total{code_class="319xx",level="error"} 1',
    'callfork_sip_messages_total{direction="in",kind="INVITE"} 1',
    'callfork_sip_messages_total{direction="out",kind="1xx"} 1',
    'callfork_sip_refused_total{reason="acl"} 1',
    'callfork_media_packets_total{kind="forked"} 50',
    'callfork_http_requests_seconds_count{method="GET",route="/healthz",status="200"} 1',
    "callfork_outbox_pending 4",
    'callfork_outbox_delivered_total{result="delivered"} 1',
  ])
    assert.ok(text.includes(`${line}\n`), line);
  assert.match(text, /process_cpu_seconds_total/);
  assert.match(metrics.contentType, /^text\/plain/);
});

test("a peer cannot grow the registry by inventing methods or reasons", async () => {
  const metrics = createMetrics();
  for (let i = 0; i < 1000; i += 1) {
    metrics.sipMessagesTotal.inc({ direction: "in", kind: `X${i}` });
    metrics.sipMessagesTotal.inc({ direction: "in", kind: i });
    metrics.sipRefusedTotal.inc({ reason: `reason ${i}` });
    metrics.connectorAttemptsTotal.inc({ connector: `connector ${i}`, result: "failed" });
    metrics.alertsTotal.inc({ errorCode: i * 1000, level: "error" });
  }
  const series = (await metrics.text()).split("\n").filter((line) => line.startsWith("callfork_"));
  assert.ok(series.length < 160, String(series.length));
});

test("two registries in one process do not meet", async () => {
  const [one, other] = [createMetrics(), createMetrics()];
  one.callsLive.set(7);
  assert.match(await other.text(), /^callfork_calls_live 0$/m);
});
