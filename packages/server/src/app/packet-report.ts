import type { LocalMediaPlane } from "../media/index.ts";
import type { Metrics } from "../observe/index.ts";

/** @returns brings the metrics of packets up to date */
export function packetReport(media: LocalMediaPlane, metrics: Metrics): () => Promise<void> {
  const reported = new Map<string, number>();
  return async () => {
    const { io, workers } = media.implementation;
    metrics.mediaWorkers(io, workers);
    for (const [name, count] of Object.entries(await media.packetCounters())) {
      const event = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      const before = reported.get(event) ?? 0;
      metrics.mediaIoTotal.inc({ event }, Math.max(0, count - before));
      reported.set(event, Math.max(before, count));
    }
  };
}
