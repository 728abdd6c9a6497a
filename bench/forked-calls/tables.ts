import type { DeviceKind, Measurement } from "./forked-calls.ts";

/** Medians of all figures that were taken, as Markdown. */
export function table(results: readonly Measurement[]): string {
  const keys = [...new Set(results.map(({ device, calls }) => `${calls} ${device}`))];
  const rows = keys
    .map((key) => results.filter(({ device, calls }) => `${calls} ${device}` === key))
    .toSorted((a, b) => a[0]!.calls - b[0]!.calls)
    .map(row);
  return [
    "| Device | calls | share of a core | calls/core | relay loss | fork loss | relay p50 / p99 ms | heap KB/call |",
    "|---|---|---|---|---|---|---|---|",
    ...rows,
  ].join("\n");
}

function row(those: readonly Measurement[]): string {
  const of = (pick: (one: Measurement) => number): number => median(those.map(pick));
  const { device, calls, kind } = those[0]!;
  const records = kind.startsWith("recorder");
  const loss = (lost: (one: Measurement) => number): string =>
    records ? "–" : percent(of((one) => lost(one) / one.traffic.sent));
  const times = `${of(({ traffic }) => traffic.relayP50Ms).toFixed(1)} / ${of(({ traffic }) => traffic.relayP99Ms).toFixed(1)}`;
  const heap =
    kind === "rtpengine" || records ? "–" : (of(({ heldBytes }) => heldBytes / 1024) / calls).toFixed(1);
  return (
    `| ${device} | ${calls} | ${percent(of((one) => one.coreShare))} | ${of((one) => one.callsPerCore).toFixed(0)} ` +
    `| ${loss(({ traffic }) => traffic.sent - traffic.relayed)} | ${loss(({ traffic }) => traffic.sent - traffic.forked)} ` +
    `| ${records ? "–" : times} | ${heap} |`
  );
}

/** What was aimed at, beside what came out; rows whose figures were not taken are left out. */
export function aims(results: readonly Measurement[]): string {
  const of = (kind: DeviceKind, calls: number): readonly Measurement[] =>
    results.filter((one) => one.kind === kind && one.calls === calls);
  const figure = (
    kind: DeviceKind,
    calls: number,
    pick: (one: Measurement) => number,
  ): number | undefined => {
    const those = of(kind, calls);
    return those.length === 0 ? undefined : median(those.map(pick));
  };
  /** Median of the rounds' ratios. */
  const ratio = (one: DeviceKind, other: DeviceKind, calls: number): number | undefined => {
    const [ours, theirs] = [of(one, calls), of(other, calls)];
    const rounds = Math.min(ours.length, theirs.length);
    if (rounds === 0) return undefined;
    return median(Array.from({ length: rounds }, (_, i) => ours[i]!.callsPerCore / theirs[i]!.callsPerCore));
  };
  const rows: string[] = [];
  const add = (what: string, aim: string, value: string | undefined): void => {
    if (value !== undefined) rows.push(`| ${what} | ${aim} | ${value} |`);
  };
  const times = (value: number | undefined): string | undefined =>
    value === undefined ? undefined : `${value.toFixed(2)}×`;
  const against = "calls per core against rtpengine, 400 calls";
  add(`${against}: io_uring`, "≥ 2.0×", times(ratio("uring", "rtpengine", 400)));
  add(`${against}: io_uring and GSO`, "≥ 2.5×", times(ratio("gso", "rtpengine", 400)));
  add(`${against}: dgram`, "≥ 1.0×", times(ratio("dgram", "rtpengine", 400)));
  for (const calls of [400, 900]) {
    const [ours, theirs] = (["gso", "rtpengine"] as const).map((kind) =>
      figure(kind, calls, ({ traffic }) => traffic.relayP99Ms),
    );
    const loss = figure("gso", calls, ({ traffic }) => 2 * traffic.sent - traffic.relayed - traffic.forked);
    const beside = theirs === undefined ? "" : ` (rtpengine ${theirs.toFixed(1)})`;
    add(
      `relay p99, loss, ${calls} calls`,
      calls === 900 ? "≤ 5 ms, no worse than rtpengine, 0" : "no worse than rtpengine, 0",
      ours === undefined ? undefined : `${ours.toFixed(1)} ms${beside}, ${loss} packets`,
    );
  }
  const costs = [...new Set(results.filter(({ kind }) => kind === "gso").map(({ calls }) => calls))]
    .toSorted((a, b) => a - b)
    .map((calls) => ({ calls, cost: figure("gso", calls, (one) => 1000 / one.callsPerCore)! }));
  const least = Math.min(...costs.map(({ cost }) => cost));
  add(
    "cost per call, thousandths of a core",
    "never 10 % above its minimum",
    costs.length < 2
      ? undefined
      : costs
          .map(
            ({ calls, cost }) => `${calls}: ${cost.toFixed(2)} (+${((cost / least - 1) * 100).toFixed(0)} %)`,
          )
          .join(", "),
  );
  add("SRTP on legs and forks, of plain RTP's calls per core", "≥ 0.7×", times(ratio("srtp", "uring", 400)));
  add("the same, both with GSO", "≥ 0.7×", times(ratio("srtp-gso", "gso", 400)));
  const heap = figure("gso", 900, ({ heldBytes }) => heldBytes / 1024 / 900);
  add("memory per call, media worker", "≤ 32 KB", heap === undefined ? undefined : `${heap.toFixed(1)} KB`);
  const resident = slope(
    costs.map(({ calls }) => [calls, figure("gso", calls, ({ memoryKb }) => memoryKb)!]),
  );
  add(
    "the same, by the growth of the whole process",
    "–",
    resident === undefined ? undefined : `${resident.toFixed(1)} KB`,
  );
  for (const [kind, aim] of [
    ["recorder", "≥ 1,000"],
    ["recorder-dgram", "≥ 500"],
  ] as const) {
    const value = figure(kind, 400, ({ callsPerCore }) => callsPerCore);
    const sum = (what: "lost" | "wrong"): number =>
      of(kind, 400).reduce((total, { files }) => total + (files?.[what] ?? 0), 0);
    add(
      `two-stream recordings per core, ${kind === "recorder" ? "io_uring" : "dgram"}`,
      aim,
      value === undefined
        ? undefined
        : `${value.toFixed(0)}; of the packets in the files ${sum("wrong")} wrong, ${sum("lost")} lost`,
    );
  }
  const pauses = of("gso", 900).flatMap(({ workers }) => workers?.pausesMs ?? []);
  const seconds = of("gso", 900).reduce((sum, one) => sum + one.seconds, 0);
  const quantiles = `${quantile(pauses, 0.999).toFixed(1)} ms, ${(pauses.length / seconds).toFixed(1)} a second`;
  add("garbage collection pauses at 900 calls, p99.9", "< 2 ms", pauses.length === 0 ? undefined : quantiles);
  const octets = figure("gso", 900, ({ workers, traffic }) => (workers?.allocatedBytes ?? 0) / traffic.sent);
  add(
    "allocated for a packet received",
    "≈ 0",
    octets === undefined ? undefined : `${octets.toFixed(0)} octets`,
  );
  const wrong = results.reduce((sum, { traffic, files }) => sum + traffic.wrong + (files?.wrong ?? 0), 0);
  const seen = results.reduce(
    (sum, { traffic, files }) => sum + traffic.relayed + traffic.forked + (files?.packets ?? 0),
    0,
  );
  add(
    "packets whose content or way was wrong",
    "0",
    `${wrong} of ${seen.toLocaleString("en")}, all looked at`,
  );
  return ["| What | Aim | Measured |", "|---|---|---|", ...rows].join("\n");
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share > 0 && share < 0.01 ? 3 : 1)} %`;
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function quantile(numbers: readonly number[], share: number): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** Least squares. */
function slope(points: readonly (readonly [x: number, y: number])[]): number | undefined {
  if (points.length < 2) return undefined;
  const mean = (at: 0 | 1): number => points.reduce((sum, point) => sum + point[at], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const over = points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0);
  return over / points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0);
}
