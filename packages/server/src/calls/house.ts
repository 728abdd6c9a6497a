import type { MediaPlane } from "../media/index.ts";
import type { Call } from "./call.ts";
import { DrainingError, TooManyCallsError } from "./errors.ts";
import { type CallLimits, type CallsOptions, DEFAULT_CALL_LIMITS } from "./options.ts";
import { ringbackTone } from "./ringback.ts";
import { TrunkList } from "./trunks.ts";

/** What every call of this node shares: the doors to other rooms, the limits, and the list of live calls. */
export class House {
  readonly options: CallsOptions;
  readonly limits: CallLimits;
  readonly trunks: TrunkList;
  readonly media: MediaPlane;
  readonly #live = new Map<string, Call>();
  readonly #sent = new Map<string, { readonly call: Call; readonly requestUri: string }>();
  readonly #whenEmpty = new Set<() => void>();
  #ringback: Int16Array | undefined;
  #reserved = 0;
  #draining = false;

  constructor(options: CallsOptions) {
    this.options = options;
    this.media = options.media;
    this.limits = { ...DEFAULT_CALL_LIMITS, ...options.limits };
    this.trunks = new TrunkList(options.store, options.clock, options.log, this.limits.trunkRefreshMs);
  }

  get liveCount(): number {
    return this.#live.size;
  }

  get calls(): readonly Call[] {
    return [...this.#live.values()];
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** Whether one more call may be made, and why not. */
  get refusal(): DrainingError | TooManyCallsError | undefined {
    if (this.#draining) return new DrainingError("this node takes no new calls: it is about to stop");
    if (this.#live.size + this.#reserved < this.limits.liveCalls) return undefined;
    return new TooManyCallsError(`${this.limits.liveCalls} calls are live`);
  }

  /** Holds a place for a call that is being admitted. Returns what gives it back; repeated calls do nothing. */
  reserve(): () => void {
    this.#reserved++;
    let held = true;
    return () => {
      if (held) this.#reserved--;
      held = false;
    };
  }

  find(sid: string): Call | undefined {
    return this.#live.get(sid);
  }

  add(call: Call): void {
    this.#live.set(call.sid, call);
  }

  /** An INVITE of ours is out. */
  invited(call: Call, callId: string, requestUri: string): void {
    this.#sent.set(callId, { call, requestUri });
  }

  /** Whether a live call of ours was sent under this Call-ID to this URI: it has come round. */
  hasSent(callId: string, requestUri: string): boolean {
    return this.#sent.get(callId)?.requestUri === requestUri;
  }

  remove(call: Call): void {
    this.#live.delete(call.sid);
    const { callId } = call.leg;
    if (callId !== undefined && this.#sent.get(callId)?.call === call) this.#sent.delete(callId);
    this.options.onEnded?.(call.record());
    if (this.#live.size > 0) return;
    for (const resolve of this.#whenEmpty) resolve();
    this.#whenEmpty.clear();
  }

  ringback(): Int16Array {
    this.#ringback ??= ringbackTone(this.options.ringbackTone ?? "us");
    return this.#ringback;
  }

  /** No new calls; resolves when the last one is over or after `limitMs`, when all get BYE. */
  async drain(limitMs: number): Promise<void> {
    this.#draining = true;
    if (this.#live.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = this.options.clock.setTimer(limitMs, () => {
        this.#whenEmpty.delete(finish);
        resolve();
      });
      const finish = () => {
        timer.cancel();
        resolve();
      };
      this.#whenEmpty.add(finish);
    });
    await Promise.all(this.calls.map((call) => call.hangup({ sipStatus: 503 })));
  }
}
