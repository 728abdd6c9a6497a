import type { SrvRecord } from "./sip-dns.ts";

/**
 * SRV records in the order in which to try them (RFC 2782): by priority; among equals drawn by weight, those of weight 0
 * last as a rule.
 *
 * @param fraction - a number in [0, 1), drawn anew for each record
 */
export function orderSrv(records: readonly SrvRecord[], fraction: () => number): readonly SrvRecord[] {
  const priorities = [...new Set(records.map(({ priority }) => priority))].sort((a, b) => a - b);
  return priorities.flatMap((priority) =>
    drawByWeight(
      records.filter((record) => record.priority === priority),
      fraction,
    ),
  );
}

function drawByWeight(records: readonly SrvRecord[], fraction: () => number): SrvRecord[] {
  // "those with weight 0 are placed at the beginning of the list" (RFC 2782)
  const left = [...records].sort((a, b) => Number(a.weight > 0) - Number(b.weight > 0));
  const drawn: SrvRecord[] = [];
  while (left.length > 0) {
    const sum = left.reduce((total, { weight }) => total + weight, 0);
    // "choose a uniform random number between 0 and the sum computed (inclusive)"
    const chosen = Math.floor(fraction() * (sum + 1));
    let running = 0;
    const index = left.findIndex(({ weight }) => {
      running += weight;
      return running >= chosen;
    });
    drawn.push(...left.splice(Math.max(index, 0), 1));
  }
  return drawn;
}
