import assert from "node:assert/strict";
import { test } from "node:test";
import type { LocalMediaPlane } from "../media/index.ts";
import { newPacketIoCounters } from "../net/index.ts";
import { createMetrics } from "../observe/index.ts";
import { packetReport } from "./packet-report.ts";

test("metrics of packets follow the counters of all workers and never fall", async () => {
  const counters = newPacketIoCounters();
  const media = {
    implementation: { io: "uring", workers: 2 },
    packetCounters: async () => counters,
  } as unknown as LocalMediaPlane;
  const metrics = createMetrics();
  const report = packetReport(media, metrics);
  const shows = async (line: string): Promise<void> => {
    await report();
    assert.ok((await metrics.text()).includes(`${line}\n`), line);
  };
  await shows('callfork_media_workers{io="uring"} 2');
  counters.received = 100;
  counters.receiveStarved = 3;
  await shows('callfork_media_io_total{event="received"} 100');
  await shows('callfork_media_io_total{event="receive_starved"} 3');
  // What a dead worker had counted since its last report is not known.
  counters.received = 90;
  await shows('callfork_media_io_total{event="received"} 100');
  counters.received = 110;
  await shows('callfork_media_io_total{event="received"} 110');
});
