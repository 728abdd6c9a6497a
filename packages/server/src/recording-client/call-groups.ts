import { newObjectId } from "@callfork/protocol/siprec";
import type { Random } from "@callfork/protocol/text";
import type { CallRecord } from "../calls/index.ts";

/** Conversations whose group is remembered; the one asked for longest ago is forgotten first. */
const MAXIMUM_GROUPS = 10_000;

/**
 * The group of each conversation (RFC 7865 §6.2): the call that somebody made or got, and the legs that were dialled
 * for it, are sessions of one group, also when one of them goes on alone.
 */
export class CallGroups {
  readonly #random: Random;
  /** By the SID of the call that the others were dialled for. */
  readonly #groups = new Map<string, string>();

  constructor(random: Random) {
    this.#random = random;
  }

  groupOf({ sid, parentCallSid }: Pick<CallRecord, "sid" | "parentCallSid">): string {
    const root = parentCallSid ?? sid;
    const groupId = this.#groups.get(root) ?? newObjectId(this.#random);
    this.#groups.delete(root); // to the end
    this.#groups.set(root, groupId);
    if (this.#groups.size > MAXIMUM_GROUPS) {
      const [oldest] = this.#groups.keys();
      this.#groups.delete(oldest!);
    }
    return groupId;
  }
}
