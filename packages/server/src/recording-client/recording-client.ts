import { toHex } from "@callfork/protocol/text";
import { type CallTap, NO_SIPREC_DETAIL, type SiprecRecord, type SiprecStart } from "../calls/index.ts";
import { PlatformError } from "../observe/index.ts";
import { Backoff } from "./backoff.ts";
import { CallIdentity } from "./call-identity.ts";
import { type ClientContext, DEFAULT_LIMITS } from "./context.ts";
import {
  CallOverError,
  ClientStoppingError,
  SiprecOverError,
  UnknownCallError,
  UnknownSiprecError,
} from "./errors.ts";
import { Fork } from "./fork.ts";
import type { RecordingClient, RecordingClientOptions } from "./options.ts";
import { RecorderHealth } from "./recorder-health.ts";
import { orphanParameters, siprecCallback } from "./siprec-callbacks.ts";
import { checkAgainst, checkTrack, findPlan, isNameTaken } from "./start-checks.ts";
import { isTrack } from "./tracks.ts";

/** BYE and CANCEL are answered or given up in 64*T1; whoever waits for all of them waits no longer than this. */
const STOP_LIMIT_MS = 35_000;

/** The session recording client (RFC 7866): forks live calls to recorders, and knows the forks that are up. */
export function createRecordingClient(options: RecordingClientOptions): RecordingClient {
  return new Client({
    ...options,
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    backoff: new Backoff(options.clock),
    health: new RecorderHealth(options),
  });
}

/** The forks of one live call, and the ids they share. */
interface CallForks {
  readonly identity: CallIdentity;
  readonly forks: Set<Fork>;
  callEnded: boolean;
}

class Client implements RecordingClient {
  readonly #context: ClientContext;
  readonly #calls = new Map<string, CallForks>();
  #stopping = false;

  constructor(context: ClientContext) {
    this.#context = context;
  }

  get liveCount(): number {
    return this.#liveForks().length;
  }

  async start(callSid: string, start: SiprecStart): Promise<SiprecRecord> {
    if (this.#stopping) throw new ClientStoppingError("the node is about to stop");
    const tap = await this.#liveTap(callSid);
    const asked = { ...start, name: start.name === "" ? null : start.name };
    let fork: Fork;
    try {
      fork = await this.#admit(tap, asked);
    } catch (error) {
      if (error instanceof PlatformError && start.origin === "twiml")
        await this.#tellRefused(tap, asked, error);
      throw error;
    }
    await fork.begin();
    return fork.record;
  }

  async pause(callSid: string, sidOrName: string): Promise<SiprecRecord> {
    return (await this.#live(callSid, sidOrName)).pause();
  }

  async resume(callSid: string, sidOrName: string): Promise<SiprecRecord> {
    return (await this.#live(callSid, sidOrName)).resume();
  }

  async inspect(callSid: string, siprecSid: string): Promise<SiprecRecord | undefined> {
    const fork = this.#find(callSid, siprecSid);
    return fork?.isLive ? fork.inspect() : undefined;
  }

  /** By SID, or the newest live one of that name. */
  #find(callSid: string, sidOrName: string): Fork | undefined {
    const forks = [...(this.#calls.get(callSid)?.forks ?? [])].reverse();
    const named = forks.filter(({ sid, record }) => sid === sidOrName || record.name === sidOrName);
    return named.find(({ sid }) => sid === sidOrName) ?? named.find(({ isLive }) => isLive) ?? named[0];
  }

  /** @throws UnknownSiprecError, SiprecOverError */
  async #live(callSid: string, sidOrName: string): Promise<Fork> {
    const fork = this.#find(callSid, sidOrName);
    if (fork !== undefined) return fork;
    const record = await this.#context.store.findSiprec(callSid, sidOrName);
    if (record === undefined) throw new UnknownSiprecError("the call has no fork of that SID or name");
    throw new SiprecOverError("the fork has ended");
  }

  async stop(callSid: string, sidOrName: string): Promise<SiprecRecord> {
    const fork = this.#find(callSid, sidOrName);
    if (fork !== undefined) return fork.stop();
    const { store, clock } = this.#context;
    const record = await store.findSiprec(callSid, sidOrName);
    if (record === undefined) throw new UnknownSiprecError("the call has no fork of that SID or name");
    if (record.status === "stopped") return record;
    // A row whose last change the store did not take: nothing of it is alive.
    const now = clock.wallNow();
    const stopped: SiprecRecord = { ...record, status: "stopped", endTime: now, dateUpdated: now };
    await store.saveSiprec(stopped, siprecCallback(stopped, "siprec-stopped", orphanParameters, now));
    return stopped;
  }

  async recover(): Promise<void> {
    const { store, clock, log } = this.#context;
    const now = clock.wallNow();
    const orphans = await store.closeOrphanedSiprecs(now);
    if (orphans.length > 0) log.warn({ count: orphans.length }, "siprec: forks of a dead process closed");
    for (const record of orphans) {
      const callbacks = siprecCallback(record, "siprec-stopped", orphanParameters, now);
      if (callbacks.length === 0) continue;
      try {
        await store.saveSiprec(record, callbacks);
      } catch (error) {
        const fields = { err: error, callSid: record.callSid, siprecSid: record.sid };
        log.error(fields, "siprec: a callback that is owed was not saved");
      }
    }
  }

  async stopAll(): Promise<void> {
    this.#stopping = true;
    this.#context.health.stop();
    const forks = [...this.#calls.values()].flatMap((call) => [...call.forks]);
    for (const fork of forks) void fork.stop().catch(() => {}); // logged by the row
    const over = Promise.all(forks.map((fork) => fork.over)).then(() => {});
    let giveUp: { cancel(): void } | undefined;
    const limit = new Promise<void>((resolve) => {
      giveUp = this.#context.clock.setTimer(STOP_LIMIT_MS, resolve);
    });
    await Promise.race([over, limit]);
    giveUp?.cancel();
  }

  #liveForks(): Fork[] {
    return [...this.#calls.values()].flatMap(({ forks }) => [...forks].filter((fork) => fork.isLive));
  }

  /** @throws UnknownCallError, CallOverError */
  async #liveTap(callSid: string): Promise<CallTap> {
    const { calls, store } = this.#context;
    const tap = calls.tap(callSid);
    if (tap !== undefined) return tap;
    if (await store.callExists(undefined, callSid)) throw new CallOverError("the call has ended");
    throw new UnknownCallError("there is no such call");
  }

  /** All checks; what they passed is counted before anything else can happen. @throws PlatformError */
  async #admit(tap: CallTap, start: SiprecStart): Promise<Fork> {
    const context = this.#context;
    const track = checkTrack(start, context.defaultTrack);
    const plan = await findPlan(context, tap.accountSid, start.connectorName);
    if (context.calls.tap(tap.callSid) !== tap) throw new CallOverError("the call has ended");
    if (this.#stopping) throw new ClientStoppingError("the node is about to stop");
    const known = this.#calls.get(tap.callSid);
    checkAgainst(known?.forks ?? [], start, track, context.limits.streamsPerCall);
    context.health.watch(plan);
    const call = known ?? this.#enter(tap);
    const record = this.#newRecord(tap, start, { track });
    const fork = new Fork({ context, record, plan, tap, identity: call.identity });
    call.forks.add(fork);
    void fork.over.then(() => {
      call.forks.delete(fork);
      this.#forget(tap.callSid);
    });
    return fork;
  }

  #enter(tap: CallTap): CallForks {
    const { random, clock } = this.#context;
    const call: CallForks = {
      identity: new CallIdentity(random, clock.wallNow()),
      forks: new Set(),
      callEnded: false,
    };
    this.#calls.set(tap.callSid, call);
    tap.onEnded(() => {
      call.callEnded = true;
      this.#forget(tap.callSid);
    });
    return call;
  }

  /** Ids are kept as long as the call lives, for the next fork. */
  #forget(callSid: string): void {
    const call = this.#calls.get(callSid);
    if (call?.callEnded && call.forks.size === 0) this.#calls.delete(callSid);
  }

  #newRecord(tap: CallTap, start: SiprecStart, changes: Partial<SiprecRecord>): SiprecRecord {
    const { random, clock, defaultTrack } = this.#context;
    const now = clock.wallNow();
    return {
      sid: `SR${toHex(random.bytes(16))}`,
      accountSid: tap.accountSid,
      callSid: tap.callSid,
      name: start.name,
      connectorName: start.connectorName ?? "",
      track: defaultTrack,
      status: "in-progress",
      statusCallback: start.statusCallback,
      statusCallbackMethod: start.statusCallbackMethod,
      parameters: start.parameters,
      recorderUri: null,
      errorCode: null,
      errorMessage: null,
      dateCreated: now,
      dateUpdated: now,
      startTime: null,
      endTime: null,
      detail: NO_SIPREC_DETAIL,
      ...changes,
    };
  }

  /** A document has nobody to answer to: its refused `<Siprec>` gets a row and a callback. */
  async #tellRefused(tap: CallTap, start: SiprecStart, error: PlatformError): Promise<void> {
    const { store, calls, clock, log } = this.#context;
    const forks = this.#calls.get(tap.callSid)?.forks ?? [];
    const now = clock.wallNow();
    const record = this.#newRecord(tap, start, {
      // The live fork of that name must stay the one that is found by it.
      name: isNameTaken(forks, start.name) ? null : (start.name?.slice(0, 255) ?? null),
      ...(start.track !== null && isTrack(start.track) && { track: start.track }),
      // What was refused for its size or characters is not kept.
      parameters: error.publicCode === 20422 ? [] : start.parameters.slice(0, 99),
      status: "stopped",
      errorCode: error.publicCode,
      errorMessage: error.message,
      endTime: now,
    });
    const voice = calls.find(tap.callSid)?.requestParameters() ?? [];
    const problem = { code: error.publicCode, text: error.message };
    const told = { ...record, name: start.name };
    try {
      await store.saveSiprec(record, siprecCallback(told, "siprec-error", voice, now, problem));
    } catch (cause) {
      const callId = calls.find(tap.callSid)?.record().sipCallId ?? null;
      const fields = { err: cause, callSid: tap.callSid, callId, siprecSid: record.sid };
      log.error(fields, "siprec: a refused start was not saved");
    }
  }
}
