import assert from "node:assert/strict";
import { test } from "node:test";
import { createAlerts } from "./alerts.ts";
import { createLog } from "./log.ts";
import { createMetrics } from "./metrics.ts";
import type { Alert } from "./types.ts";

const alert = (text: string, more: Partial<Alert> = {}): Alert => ({
  accountSid: "AC1",
  errorCode: 31940,
  level: "error",
  text,
  ...more,
});

function desk(sink: (alert: Alert) => Promise<void>, queueLimit?: number) {
  const lines: string[] = [];
  const metrics = createMetrics();
  const log = createLog({ level: "debug", destination: { write: (line) => void lines.push(line) } });
  const alerts = createAlerts({ sink, log, metrics, ...(queueLimit === undefined ? {} : { queueLimit }) });
  return { alerts, lines, metrics };
}

test("alerts reach the sink in order, one at a time", async () => {
  const seen: string[] = [];
  let inside = 0;
  const { alerts, metrics } = desk(async (one) => {
    inside += 1;
    assert.equal(inside, 1);
    await new Promise((resolve) => setImmediate(resolve));
    inside -= 1;
    seen.push(one.text);
  });
  for (const text of ["a", "b", "c"]) alerts.raise(alert(text));
  await alerts.flush();
  alerts.raise(alert("d"));
  await alerts.flush();
  assert.deepEqual(seen, ["a", "b", "c", "d"]);
  assert.match(await metrics.text(), /callfork_alerts_total\{code_class="319xx",level="error"\} 4/);
});

test("a sink that fails is logged, and the next alert still gets there", async () => {
  const seen: string[] = [];
  const { alerts, lines } = desk(async (one) => {
    if (one.text === "bad") throw new Error("disk full");
    seen.push(one.text);
  });
  alerts.raise(alert("bad"));
  alerts.raise(alert("good"));
  await alerts.flush();
  assert.deepEqual(seen, ["good"]);
  assert.ok(lines.some((line) => line.includes("disk full") && line.includes("alert could not be stored")));
});

test("the queue is bounded: what does not fit is logged and counted, raise never throws", async () => {
  let open: () => void = () => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const seen: string[] = [];
  const { alerts, lines, metrics } = desk(async (one) => {
    await gate;
    seen.push(one.text);
  }, 2);
  for (const text of ["a", "b", "c"]) alerts.raise(alert(text));
  open();
  await alerts.flush();
  assert.deepEqual(seen, ["a", "b"]);
  assert.equal(lines.filter((line) => line.includes("alert dropped")).length, 1);
  assert.match(await metrics.text(), /callfork_alerts_total\{[^}]*\} 3/);
});

test("long bodies are cut and secrets taken out before they are stored", async () => {
  const seen: Alert[] = [];
  const { alerts } = desk(async (one) => void seen.push(one));
  alerts.raise(alert("t", { responseBody: "x".repeat(10_000), requestUrl: "https://u:hush@example.com/" }));
  await alerts.flush();
  assert.equal(seen[0]?.responseBody?.length, 4096);
  assert.equal(seen[0]?.requestUrl, "https://u:[redacted]@example.com/");
});
