import type { Replaces } from "@callfork/protocol/sip";
import type { MediaPlane } from "../media/index.ts";
import type { Call } from "./call.ts";
import { DrainingError, TooManyCallsError } from "./errors.ts";
import { type CallLimits, type CallsOptions, DEFAULT_CALL_LIMITS } from "./options.ts";
import { ringbackTone } from "./ringback.ts";
import { TrunkList } from "./trunks.ts";

/** A transfer that comes too late for its dialog comes within seconds. */
const MAXIMUM_ENDED_DIALOGS = 1_000;

const dialogName = (...parts: readonly string[]): string => parts.join("\n");

/** What every call of this node shares: the doors to other rooms, the limits, and the list of live calls. */
export class House {
  readonly options: CallsOptions;
  readonly limits: CallLimits;
  readonly trunks: TrunkList;
  readonly media: MediaPlane;
  readonly #live = new Map<string, Call>();
  readonly #sent = new Map<string, { readonly call: Call; readonly requestUri: string }>();
  /** Dialogs that were, oldest first. */
  readonly #ended = new Set<string>();
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

  /** The dialog of a call's leg is over, or somebody else takes its place. */
  released(call: Call): void {
    const { callId, dialog } = call.leg;
    if (callId !== undefined && this.#sent.get(callId)?.call === call) this.#sent.delete(callId);
    if (!dialog) return;
    this.#ended.add(dialogName(dialog.callId, dialog.localTag, dialog.remoteTag));
    if (this.#ended.size > MAXIMUM_ENDED_DIALOGS)
      for (const oldest of this.#ended) return void this.#ended.delete(oldest);
  }

  /** Whether a dialog of ours was that one, not long ago. */
  hasEnded({ callId, toTag, fromTag }: Replaces): boolean {
    return this.#ended.has(dialogName(callId, toTag, fromTag));
  }

  remove(call: Call): void {
    this.#live.delete(call.sid);
    this.released(call);
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
