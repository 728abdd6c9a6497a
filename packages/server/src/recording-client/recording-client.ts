import { toHex } from "@callfork/protocol/text";
import {
  type CallTap,
  NO_SIPREC_DETAIL,
  type SiprecDetail,
  type SiprecRecord,
  type SiprecStart,
} from "../calls/index.ts";
import { PlatformError } from "../observe/index.ts";
import type { IncomingInvite } from "../signalling/index.ts";
import { Backoff } from "./backoff.ts";
import { CallForks } from "./call-forks.ts";
import { CallGroups } from "./call-groups.ts";
import { CallIdentity } from "./call-identity.ts";
import { type ClientContext, DEFAULT_LIMITS } from "./context.ts";
import {
  CallOverError,
  ClientStoppingError,
  NameTakenError,
  SiprecOverError,
  UnknownCallError,
  UnknownSiprecError,
} from "./errors.ts";
import { Fork } from "./fork.ts";
import { IncomingSession } from "./incoming-session.ts";
import type { RecordingClient, RecordingClientOptions } from "./options.ts";
import { plansBeside } from "./plans-beside.ts";
import { admitRecorder, startedByRecorder } from "./recorder-admission.ts";
import { RecorderHealth } from "./recorder-health.ts";
import { isRecorderInvite, RecorderPeers } from "./recorder-peers.ts";
import type { ConnectorPlan } from "./recorders.ts";
import { parametersOfPast, siprecCallback } from "./siprec-callbacks.ts";
import { checkAgainst, checkTrack, findPlan, isNameTaken } from "./start-checks.ts";
import { isTrack } from "./tracks.ts";
import { unrecordedCall } from "./unrecorded-call.ts";

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

const withDetail = (record: SiprecRecord, detail: Partial<SiprecDetail>): SiprecRecord => ({
  ...record,
  detail: { ...record.detail, ...detail },
});

/** Does something to all of them; the first one's outcome is the answer. */
async function first(
  forks: readonly [Fork, ...Fork[]],
  act: (fork: Fork) => Promise<SiprecRecord>,
): Promise<SiprecRecord> {
  const [answer, ...others] = await Promise.allSettled(forks.map(act));
  const failed = [answer!, ...others].find((each) => each.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  return (answer as PromiseFulfilledResult<SiprecRecord>).value;
}

class Client implements RecordingClient {
  readonly #context: ClientContext;
  readonly #calls = new Map<string, CallForks>();
  readonly #groups: CallGroups;
  readonly #peers: RecorderPeers;
  #stopping = false;

  constructor(context: ClientContext) {
    this.#context = context;
    this.#groups = new CallGroups(context.random);
    this.#peers = new RecorderPeers(context);
  }

  get liveCount(): number {
    return this.#liveForks().length;
  }

  async start(callSid: string, start: SiprecStart): Promise<SiprecRecord> {
    if (this.#stopping) throw new ClientStoppingError("the node is about to stop");
    const tap = await this.#liveTap(callSid);
    const asked = { ...start, name: start.name === "" ? null : start.name };
    let forks: readonly [Fork, ...Fork[]];
    try {
      forks = await this.#admit(tap, asked);
    } catch (error) {
      if (error instanceof PlatformError && start.origin === "twiml")
        await this.#tellRefused(tap, asked, error);
      throw error;
    }
    const [fork, ...besides] = forks;
    try {
      await fork.begin();
    } catch (error) {
      for (const beside of besides) beside.drop();
      throw error;
    }
    // One whose row the store does not take is over; it has been logged, and the others record.
    await Promise.allSettled(besides.map((beside) => beside.begin()));
    return fork.record;
  }

  isRecorderInvite(invite: IncomingInvite): boolean {
    return isRecorderInvite(invite);
  }

  knows(peer: Parameters<RecordingClient["knows"]>[0]): boolean {
    return this.#peers.knows(peer);
  }

  get authenticates(): boolean {
    return this.#peers.authenticates;
  }

  accept(invite: IncomingInvite): void {
    const incoming = new IncomingSession(invite);
    this.#accept(invite, incoming).catch((error: unknown) => {
      this.#context.log.error({ err: error, callId: invite.callId }, "siprec: a recorder's INVITE failed");
      incoming.refuse(500);
    });
  }

  async #accept(invite: IncomingInvite, incoming: IncomingSession): Promise<void> {
    const { log } = this.#context;
    incoming.onCanceled(() => {});
    const admitted = await admitRecorder(invite, {
      peers: this.#peers,
      tap: (callSid) => this.#context.calls.tap(callSid),
      forks: (callSid) => this.#calls.get(callSid)?.live ?? [],
      isStopping: () => this.#stopping,
    });
    if (!admitted.ok) {
      const { status, headers } = admitted.error;
      log.info(
        { callId: invite.callId, status, from: invite.flow.remoteAddress },
        "siprec: recorder refused",
      );
      incoming.refuse(status, headers);
      return;
    }
    const { tap, plan } = admitted.value;
    const detail = { startedBy: "recorder" } as const;
    const record = withDetail(this.#newRecord(tap, startedByRecorder(plan), {}), detail);
    const call = this.#calls.get(tap.callSid) ?? this.#enter(tap);
    const fork = this.#add(tap, call, plan, record, incoming);
    incoming.onCanceled(() => void fork.stop().catch(() => {})); // logged by the row
    await fork.begin();
  }

  async pause(callSid: string, sidOrName: string): Promise<SiprecRecord> {
    return first(await this.#live(callSid, sidOrName), (fork) => fork.pause());
  }

  async resume(callSid: string, sidOrName: string): Promise<SiprecRecord> {
    return first(await this.#live(callSid, sidOrName), (fork) => fork.resume());
  }

  async inspect(callSid: string, siprecSid: string): Promise<SiprecRecord | undefined> {
    const fork = this.#calls.get(callSid)?.find(siprecSid);
    return fork?.isLive ? fork.inspect() : undefined;
  }

  /**
   * The fork, if it lives, and the live ones that came with it.
   *
   * @throws UnknownSiprecError, SiprecOverError
   */
  async #live(callSid: string, sidOrName: string): Promise<readonly [Fork, ...Fork[]]> {
    const call = this.#calls.get(callSid);
    const named = call?.find(sidOrName)?.record ?? (await this.#context.store.findSiprec(callSid, sidOrName));
    if (named === undefined) throw new UnknownSiprecError("the call has no fork of that SID or name");
    const itself = call?.live.filter(({ sid }) => sid === named.sid) ?? [];
    const [one, ...more] = [...itself, ...(call?.besides(named.sid) ?? [])];
    if (one === undefined) throw new SiprecOverError("the fork has ended");
    return [one, ...more];
  }

  async stop(callSid: string, sidOrName: string): Promise<SiprecRecord> {
    const call = this.#calls.get(callSid);
    const fork = call?.find(sidOrName);
    const record = await (fork ? fork.stop() : this.#stopped(callSid, sidOrName));
    await Promise.all((call?.besides(record.sid) ?? []).map((beside) => beside.stop()));
    return record;
  }

  /** One that is not alive any more. */
  async #stopped(callSid: string, sidOrName: string): Promise<SiprecRecord> {
    const { store, clock } = this.#context;
    const record = await store.findSiprec(callSid, sidOrName);
    if (record === undefined) throw new UnknownSiprecError("the call has no fork of that SID or name");
    if (record.status === "stopped") return record;
    // A row whose last change the store did not take: nothing of it is alive.
    const now = clock.wallNow();
    const stopped: SiprecRecord = { ...record, status: "stopped", endTime: now, dateUpdated: now };
    const voice = await parametersOfPast(store, callSid);
    await store.saveSiprec(stopped, siprecCallback(stopped, "siprec-stopped", voice, now));
    return stopped;
  }

  async recover(): Promise<void> {
    const { store, clock, log } = this.#context;
    const now = clock.wallNow();
    const orphans = await store.closeOrphanedSiprecs(now);
    if (orphans.length > 0) log.warn({ count: orphans.length }, "siprec: forks of a dead process closed");
    for (const record of orphans) {
      if (record.statusCallback === null) continue;
      try {
        const voice = await parametersOfPast(store, record.callSid);
        const callbacks = siprecCallback(record, "siprec-stopped", voice, now);
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
    return [...this.#calls.values()].flatMap(({ live }) => live);
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
  async #admit(tap: CallTap, start: SiprecStart): Promise<readonly [Fork, ...Fork[]]> {
    const context = this.#context;
    const track = checkTrack(start, context.defaultTrack);
    const plan = await findPlan(context, tap.accountSid, start.connectorName, start.edge);
    const plansBesides = await plansBeside(context, plan, tap.callSid);
    if (context.calls.tap(tap.callSid) !== tap) throw new CallOverError("the call has ended");
    if (this.#stopping) throw new ClientStoppingError("the node is about to stop");
    const known = this.#calls.get(tap.callSid);
    checkAgainst(known?.forks ?? [], start, track, context.limits.streamsPerCall);
    const call = known ?? this.#enter(tap);
    const beside = { ...start, name: null };
    const records = plansBesides.map(({ connectorName }) =>
      this.#newRecord(tap, { ...beside, connectorName }, { track }),
    );
    const parallel = records.map(({ sid }) => sid);
    const main = this.#newRecord(tap, start, { track });
    return [
      this.#add(tap, call, plan, withDetail(main, { parallel })),
      ...records.map((record, index) =>
        this.#add(tap, call, plansBesides[index]!, withDetail(record, { parallelOf: main.sid })),
      ),
    ];
  }

  #add(
    tap: CallTap,
    call: CallForks,
    plan: ConnectorPlan,
    asked: SiprecRecord,
    incoming?: IncomingSession,
  ): Fork {
    const context = this.#context;
    const { settings } = plan;
    const record = withDetail(asked, { policy: settings.policy });
    context.health.watch(plan);
    const fork = new Fork({
      context,
      record,
      plan,
      tap,
      identity: call.identity,
      ...(incoming && { incoming }),
      onUnrecorded: () => unrecordedCall(context, settings, record),
    });
    call.forks.add(fork);
    void fork.over.then(() => {
      call.forks.delete(fork);
      this.#forget(tap.callSid);
    });
    return fork;
  }

  #enter(tap: CallTap): CallForks {
    const { random, clock } = this.#context;
    const record = this.#context.calls.find(tap.callSid)?.record();
    const groupId = record && this.#groups.groupOf(record);
    const call = new CallForks(new CallIdentity(random, clock.wallNow(), groupId));
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
    if (!(error instanceof NameTakenError)) await this.#missMandatory(record);
  }

  /** A document asked for a recording that has to be, and cannot be begun. */
  async #missMandatory(record: SiprecRecord): Promise<void> {
    const context = this.#context;
    const { accountSid, connectorName } = record;
    const connector = await context.connectors.find(accountSid, connectorName).catch(() => undefined);
    if (connector?.settings.policy === "mandatory") unrecordedCall(context, connector.settings, record);
  }
}
