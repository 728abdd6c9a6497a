import type { RecordingRecord, RecordingStore } from "../ports.ts";
import { relatedFilters } from "./belonging.ts";

/** A recording that ended longer ago has nothing to do with one that begins now, whatever identities they share. */
const GAP_MS = 5 * 60_000;
/** A call that has gone on for longer is not looked for. */
const LONGEST_MS = 24 * 3_600_000;
/** Recordings of one call. */
const MAX_PARTS = 64;

/** Finds what a recording is a part of. */
export class Stitcher {
  readonly #store: RecordingStore;

  constructor(store: RecordingStore) {
    this.#store = store;
  }

  /**
   * The first recording of the same call, when there is one that began before this.
   *
   * @param record - saved already: of two that begin at the same time each finds the other, and the younger yields
   * @param now - epoch milliseconds
   */
  async headOf(record: RecordingRecord, now: number): Promise<string | undefined> {
    const { accountSid } = record;
    for (const filter of relatedFilters(record)) {
      const page = { accountSid, offset: 0, limit: MAX_PARTS, startedFrom: now - LONGEST_MS };
      const found = await this.#store.listRecordings({ ...page, ...filter });
      const older = found
        .filter((other) => other.sid !== record.sid && isOlder(other, record) && isNear(other, now))
        .sort((a, b) => (isOlder(a, b) ? -1 : 1))[0];
      if (older === undefined) continue;
      return older.partOf ?? older.sid;
    }
    return undefined;
  }

  /** All recordings of the call that this one is of, itself among them. */
  async partsOf(record: RecordingRecord): Promise<readonly RecordingRecord[]> {
    const headSid = record.partOf ?? record.sid;
    const head = headSid === record.sid ? record : await this.#store.findRecording(headSid);
    const { accountSid } = record;
    const others = await this.#store.listRecordings({
      accountSid,
      offset: 0,
      limit: MAX_PARTS,
      partOf: headSid,
    });
    // A head that was deleted leaves its parts behind: they are still of one call.
    return head === undefined ? others : [head, ...others];
  }
}

function isOlder(one: RecordingRecord, other: RecordingRecord): boolean {
  return one.startTime < other.startTime || (one.startTime === other.startTime && one.sid < other.sid);
}

function isNear({ endTime }: RecordingRecord, now: number): boolean {
  return endTime === null || now - endTime <= GAP_MS;
}
