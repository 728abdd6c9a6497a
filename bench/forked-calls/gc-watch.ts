// Loaded into the device and its workers before anything else: each media worker tells of its garbage collections.

import { PerformanceObserver } from "node:perf_hooks";
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { BroadcastChannel, isMainThread } from "node:worker_threads";

/** Of all media workers together, over the time since the last report. */
export interface DeviceReport {
  readonly kind: "device-report";
  readonly workers: number;
  /** Every garbage collection, in milliseconds. */
  readonly pausesMs: readonly number[];
  /** What the heaps hold when all garbage is gone, buffers outside of them included. */
  readonly heldBytes: number;
  /** Octets that collections of young garbage have freed or moved: what was allocated on the heap, about. */
  readonly allocatedBytes: number;
}

const WAIT_MS = 500;
const QUESTION = "gc-question";

if (!isMainThread) {
  setFlagsFromString("--expose-gc");
  const collectGarbage = runInNewContext("gc") as () => void;
  const questions = new BroadcastChannel(QUESTION);
  questions.unref();
  let pausesMs: number[] = [];
  let allocatedBytes = 0;
  let usedAfter = getHeapStatistics().used_heap_size;
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) pausesMs.push(entry.duration);
  });
  observer.observe({ entryTypes: ["gc"] });
  // Growth between looks is what was allocated; falls are collections, which hide less than one look's worth.
  setInterval(() => {
    const used = getHeapStatistics().used_heap_size;
    if (used > usedAfter) allocatedBytes += used - usedAfter;
    usedAfter = used;
  }, 20).unref();
  questions.onmessage = (event): void => {
    if ((event as { data: unknown }).data !== "report") return;
    const told = { pausesMs, allocatedBytes };
    collectGarbage();
    const { used_heap_size, external_memory } = getHeapStatistics();
    questions.postMessage({ ...told, heldBytes: used_heap_size + external_memory });
    // This collection is not the media's doing: its entry comes in a later turn of the loop.
    setTimeout(() => {
      pausesMs = [];
      allocatedBytes = 0;
      usedAfter = getHeapStatistics().used_heap_size;
    }, 20);
  };
}

/** In the device's main thread: collects the workers' answers. */
export function askWorkers(): Promise<DeviceReport> {
  const channel = new BroadcastChannel(QUESTION);
  const reports: DeviceReport[] = [];
  channel.onmessage = (event): void => {
    reports.push((event as unknown as { readonly data: DeviceReport }).data);
  };
  channel.postMessage("report");
  const sum = (of: (report: DeviceReport) => number): number =>
    reports.reduce((total, one) => total + of(one), 0);
  return new Promise((resolve) => {
    setTimeout(() => {
      channel.close();
      resolve({
        kind: "device-report",
        workers: reports.length,
        pausesMs: reports.flatMap(({ pausesMs }) => pausesMs),
        heldBytes: sum(({ heldBytes }) => heldBytes),
        allocatedBytes: sum(({ allocatedBytes }) => allocatedBytes),
      });
    }, WAIT_MS);
  });
}
