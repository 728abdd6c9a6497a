import { createHash } from "node:crypto";
import type { Timer } from "../../net/index.ts";
import type { RecordingRecord } from "../ports.ts";
import type { ArchiveOptions } from "./archive.ts";
import type { RetentionCase, RetentionRule } from "./ports.ts";

const INTERVAL_MS = 300_000;
/** Rows looked at in one go. */
const SLICE = 100;
const DAY_MS = 86_400_000;

/** Deletes what is older than rules and settings say. */
export class Sweeper {
  readonly #options: ArchiveOptions;
  readonly #expire: (record: RecordingRecord) => Promise<void>;
  #timer: Timer | undefined;
  #round: Promise<void> | undefined;
  #isStopped = false;
  #isAskedAgain = false;
  #finishDeletions: () => Promise<void> = async () => {};

  constructor(options: ArchiveOptions, expire: (record: RecordingRecord) => Promise<void>) {
    this.#options = options;
    this.#expire = expire;
  }

  start(finishDeletions: () => Promise<void>): void {
    this.#finishDeletions = finishDeletions;
    this.look();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#round;
  }

  /** Rules have changed, or time has passed. */
  look(): void {
    if (this.#isStopped) return;
    if (this.#round !== undefined) {
      this.#isAskedAgain = true;
      return;
    }
    this.#timer?.cancel();
    this.#isAskedAgain = false;
    this.#round = this.#sweep()
      .catch((error: unknown) => this.#options.log.error({ err: error }, "retention could not be applied"))
      .finally(() => {
        this.#round = undefined;
        if (this.#isAskedAgain) this.look();
        else if (!this.#isStopped) {
          this.#timer = this.#options.clock.setTimer(INTERVAL_MS, () => this.look());
        }
      });
  }

  async #sweep(): Promise<void> {
    const { keeping, clock, auditDays, log } = this.#options;
    await this.#finishDeletions();
    await this.#applyRules();
    const now = clock.wallNow();
    let failures = 0;
    while (failures === 0) {
      const expired = await keeping.expired(now, SLICE);
      if (expired.length === 0) break;
      for (const record of expired) {
        if (this.#isStopped) return;
        await this.#expire(record).catch((error: unknown) => {
          // What has begun is finished by the next round, and what has not begun is tried by it.
          failures++;
          log.error({ err: error, recordingSid: record.sid }, "a recording could not be deleted");
        });
      }
    }
    await keeping.pruneAudit(now - auditDays * DAY_MS);
  }

  async #applyRules(): Promise<void> {
    const { keeping, retentionDays } = this.#options;
    const rules = await keeping.retentionRules();
    const version = versionOf(rules, retentionDays);
    for (;;) {
      const cases = await keeping.retentionOutdated(version, SLICE);
      if (cases.length === 0 || this.#isStopped) return;
      await keeping.setRetention(
        version,
        cases.map((one) => ({
          recordingSid: one.record.sid,
          deleteAt: deleteAt(one, rules, retentionDays),
        })),
      );
    }
  }
}

/** When a recording is to be deleted; null: never. Of several rules the longest counts, a rule before the setting. */
export function deleteAt(
  one: RetentionCase,
  rules: readonly RetentionRule[],
  retentionDays: number,
): number | null {
  const days = rules.filter((rule) => isFor(rule, one)).map((rule) => rule.retentionDays);
  const longest = days.length === 0 ? retentionDays : days.includes(0) ? 0 : Math.max(...days);
  if (longest === 0) return null;
  return (one.record.endTime ?? one.record.startTime) + longest * DAY_MS;
}

function isFor(rule: RetentionRule, { record, connectorName, numbers }: RetentionCase): boolean {
  return (
    rule.accountSid === record.accountSid &&
    (rule.connectorName === null || rule.connectorName === connectorName) &&
    (rule.label === null || record.tracks.some(({ label }) => label === rule.label)) &&
    (rule.number === null || numbers.some((number) => fits(number, rule.number ?? "")))
  );
}

function fits(number: string, pattern: string): boolean {
  return pattern.endsWith("*") ? number.startsWith(pattern.slice(0, -1)) : number === pattern;
}

function versionOf(rules: readonly RetentionRule[], retentionDays: number): string {
  return createHash("sha256")
    .update(JSON.stringify([retentionDays, rules]))
    .digest("hex")
    .slice(0, 16);
}
