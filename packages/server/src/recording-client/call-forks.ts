import type { CallIdentity } from "./call-identity.ts";
import type { Fork } from "./fork.ts";

/** The forks of one live call, and the ids they share. */
export class CallForks {
  readonly identity: CallIdentity;
  readonly forks = new Set<Fork>();
  callEnded = false;

  constructor(identity: CallIdentity) {
    this.identity = identity;
  }

  get live(): readonly Fork[] {
    return [...this.forks].filter((fork) => fork.isLive);
  }

  /** By SID, or the newest live one of that name. */
  find(sidOrName: string): Fork | undefined {
    const forks = [...this.forks].reverse();
    const named = forks.filter(({ sid, record }) => sid === sidOrName || record.name === sidOrName);
    return named.find(({ sid }) => sid === sidOrName) ?? named.find(({ isLive }) => isLive) ?? named[0];
  }

  /** Live forks that came with the fork of that SID. */
  besides(sid: string): readonly Fork[] {
    return this.live.filter(({ record }) => record.detail.parallelOf === sid);
  }
}
