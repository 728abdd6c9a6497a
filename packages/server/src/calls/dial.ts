import { codecsForOtherLeg } from "@callfork/protocol/offer-answer";
import { formatSessionDescription, type SessionDescription } from "@callfork/protocol/sdp";
import type { Timer } from "../net/index.ts";
import { PlatformError } from "../observe/index.ts";
import { Bridge } from "./bridge.ts";
import type { Call } from "./call.ts";
import { Conversation } from "./conversation.ts";
import { OWN_CODECS } from "./descriptions.ts";
import { type DialInput, type DialState, nextDialState } from "./dial-state.ts";
import { finalStatus, type LegEnd } from "./end-status.ts";
import { BadDescriptionError, NoCommonCodecError, TooManyHopsError } from "./errors.ts";
import type { House } from "./house.ts";
import { IncomingLeg } from "./incoming-leg.ts";
import type { Leg } from "./leg.ts";
import { makeCall, ring } from "./outgoing-call.ts";
import type { OutgoingLeg } from "./outgoing-leg.ts";
import type { DialOptions, DialResult, DialTarget } from "./ports.ts";
import { codecsFor } from "./replacement.ts";
import { fromOf, routeTo } from "./route.ts";
import { makeRelayable, otherCodecsOf, settle, settlePickedUp } from "./settle.ts";

export interface DialOutcome extends DialResult {
  /** What the last callee answered, to be passed on to a caller that still waits. */
  readonly sipStatus: number | null;
  readonly reasons: readonly string[];
}

type DialCallStatus = DialResult["dialCallStatus"];

/** One callee. */
interface Branch {
  readonly call: Call<OutgoingLeg>;
  readonly target: DialTarget;
  readonly bridge: Bridge;
  /** It refused the caller's codec and is asked with the caller's other ones. */
  readonly secondTry: boolean;
  /** The description of the callee that counts: of early media, then of the answer. */
  description: SessionDescription | undefined;
}

const MAXIMUM_TARGETS = 10;
/** The callee cannot speak what it was offered (RFC 3261 §21.4.13, §21.4.26, §21.6.4). */
const NOT_ACCEPTABLE: ReadonlySet<number | null> = new Set([415, 488, 606]);
/** Of several callees that all failed, the most telling end is the result. */
const RANK: readonly DialCallStatus[] = ["canceled", "failed", "no-answer", "busy"];

/** Rings the targets, bridges the caller with the first that answers, and ends with a result. */
export class Dial {
  readonly #house: House;
  readonly #caller: Call;
  readonly #options: DialOptions;
  readonly #signal: AbortSignal;
  readonly #branches = new Set<Branch>();
  readonly #outcome: Promise<DialOutcome>;
  #resolve: (outcome: DialOutcome) => void = () => undefined;
  #state: DialState = "Ringing";
  #winner: Branch | undefined;
  #conversation: Conversation | undefined;
  #answeredAt = 0;
  #timer: Timer | undefined;
  #ringingPort: number | undefined;
  #lastEnd: LegEnd | undefined;
  #lastSid: string | null = null;
  #status: DialCallStatus = "canceled";
  #starting = true;
  readonly #onAbort = () => this.#over("aborted");

  constructor(house: House, caller: Call, options: DialOptions, signal: AbortSignal) {
    this.#house = house;
    this.#caller = caller;
    this.#options = options;
    this.#signal = signal;
    this.#outcome = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  /** Resolves when the bridge is over or nobody answered. Never rejects. */
  async run(): Promise<DialOutcome> {
    if (this.#signal.aborted || this.#caller.ended) this.#over("aborted");
    else {
      this.#signal.addEventListener("abort", this.#onAbort, { once: true });
      await this.#start();
    }
    return this.#outcome;
  }

  async #start(): Promise<void> {
    const { leg } = this.#caller;
    try {
      if (!this.#options.answerOnBridge) await this.#caller.answer();
      else if (leg instanceof IncomingLeg) await this.#caller.openMedia(leg.remoteAddress);
    } catch (error) {
      if (!this.#caller.ended) this.#caller.fail(error);
    }
    if (leg.answered) this.#startRingback();
    await Promise.all(
      this.#options.targets.slice(0, MAXIMUM_TARGETS).map((target) => this.#try(target, false)),
    );
    this.#starting = false;
    if (this.#branches.size === 0) this.#over("exhausted");
  }

  async #try(target: DialTarget, secondTry: boolean): Promise<void> {
    if (this.#state !== "Ringing") return;
    const caller = this.#caller;
    try {
      await this.#ring(target, secondTry);
    } catch (error) {
      caller.log.warn({ error, address: target.address }, "dial: a target could not be called");
      const known = error instanceof PlatformError ? error : undefined;
      this.#alert(known?.publicCode ?? 20500, known?.message ?? "a target could not be called", "error");
      this.#note("failed", known?.sipStatus ?? 503);
    }
  }

  async #ring(target: DialTarget, secondTry: boolean): Promise<void> {
    const caller = this.#caller;
    const leg: Leg = caller.leg;
    const { sipHost } = this.#house.options;
    const trunk =
      target.kind === "number" ? await this.#house.trunks.outboundOf(caller.accountSid) : undefined;
    const route = routeTo(target, trunk);
    if (!route.ok) throw route.error;
    if (this.#house.refusal) throw this.#house.refusal;
    if (!leg.media.line && leg instanceof IncomingLeg && !leg.isUsable)
      throw new NoCommonCodecError("no audio line of the caller's offer can be taken");
    if (caller.hopsLeft < 0)
      throw new TooManyHopsError("the call has no hop left: does it go round in a circle?");
    for (const warning of route.value.warnings) this.#alert(32112, warning, "warning");
    const fromAddress = this.#options.callerId ?? caller.record().from;
    const displayName = this.#options.callerId === null ? caller.record().callerName : null;
    const from = fromOf(fromAddress, displayName, sipHost);
    const call = makeCall(this.#house, {
      accountSid: caller.accountSid,
      parent: caller,
      route: route.value,
      from,
      fromAddress,
      callback: callbackOf(target),
      timeLimitSeconds: null,
    });
    const bridge = new Bridge(this.#house.media, caller, call, caller.log);
    const branch: Branch = { call, target, secondTry, bridge, description: undefined };
    this.#branches.add(branch);
    this.#lastSid = call.sid;
    caller.tap.ringing(route.value.party);
    call.reporter.change({});
    call.owner = {
      earlyMedia: (description) => this.#early(branch, description),
      answered: (description) => void this.#answered(branch, description),
      ended: (end) => this.#ended(branch, end),
      taken: () => this.#taken(branch),
      pickUp: { codecs: () => codecsFor(caller.leg), done: () => void this.#answered(branch, undefined) },
    };
    try {
      await call.openMedia(route.value.host);
    } catch (error) {
      call.leg.fail(503);
      throw error;
    }
    if (leg instanceof IncomingLeg && leg.offer && !leg.media.line && !secondTry) {
      const passages = leg.media.passagesIn(leg.offer);
      await Promise.all([leg, call.leg].map(({ media }) => media.openPassages(passages)));
    }
    if (this.#state !== "Ringing") return call.leg.hangup();
    ring(
      call,
      { route: route.value, from, timeoutSeconds: this.#options.timeoutSeconds },
      this.#offerTo(call.leg, secondTry),
    );
  }

  /** The caller's own offer while it waits for its answer; else what was agreed with it, so that nothing is transcoded. */
  #offerTo(callee: OutgoingLeg, secondTry: boolean): SessionDescription {
    const { leg } = this.#caller;
    if (secondTry) return callee.media.offer(otherCodecsOf(leg));
    if (leg.media.line) return callee.media.offer(codecsForOtherLeg(leg.media.line));
    if (leg instanceof IncomingLeg && leg.offer) return callee.media.relayedOffer(leg.offer, leg.media);
    return callee.media.offer(OWN_CODECS);
  }

  /** Passed on when there is only one callee: nobody can listen to two. */
  #early(branch: Branch, description: SessionDescription): void {
    branch.description = description;
    if (this.#state !== "Ringing" || this.#options.targets.length > 1) return;
    const { leg } = this.#caller;
    const settled = settle(leg, branch.call.leg, description);
    if (!settled.ok) {
      this.#caller.log.warn({ error: settled.error.message }, "dial: early media cannot be passed on");
      return;
    }
    this.#stopRingback();
    if (settled.value && leg instanceof IncomingLeg) leg.sendEarlyMedia(settled.value);
    branch.bridge.connect();
    this.#caller.tap.changed();
  }

  async #answered(branch: Branch, description: SessionDescription | undefined): Promise<void> {
    const { call } = branch;
    if (this.#state !== "Ringing" || this.#winner) return call.leg.hangup();
    this.#winner = branch;
    for (const other of [...this.#branches]) {
      if (other !== branch)
        other.call.leg.hangup({ reasons: ['SIP;cause=200;text="Call completed elsewhere"'] });
    }
    this.#stopRingback();
    try {
      await this.#join(branch, description ?? branch.description);
    } catch (error) {
      if (this.#state !== "Ringing" || call.ended) return;
      const known = error instanceof PlatformError ? error : undefined;
      this.#alert(known?.publicCode ?? 20500, known?.message ?? "the call could not be bridged", "error");
      call.log.warn({ error }, "dial: the call could not be bridged");
      call.leg.hangup({ reasons: ['SIP;cause=488;text="Not Acceptable Here"'] });
    }
  }

  async #join(branch: Branch, description: SessionDescription | undefined): Promise<void> {
    const { call, bridge } = branch;
    const { leg } = this.#caller;
    const callee: Leg = call.leg;
    if (callee instanceof IncomingLeg) settlePickedUp(leg, callee);
    else if (!description) throw new BadDescriptionError("the callee answered without a session description");
    else if (!isSame(description, branch.description) || !call.leg.media.line) {
      const settled = settle(leg, call.leg, description);
      if (!settled.ok) throw settled.error;
    }
    branch.description = description;
    bridge.connect(); // before the caller hears of it, so that its first packets find the way
    if (leg instanceof IncomingLeg && !leg.answered) {
      // Without an offer in the caller's INVITE our 200 makes one, of what the callee took; ACK brings the answer.
      leg.answer(leg.media.local ?? leg.media.offer(codecsForOtherLeg(call.leg.media.line!)));
    }
    await makeRelayable(leg, call.leg);
    if (this.#state !== "Ringing" || call.ended || this.#caller.ended) return;
    this.#step("answered");
    this.#answeredAt = this.#house.options.clock.now();
    this.#branches.delete(branch);
    this.#conversation = new Conversation(this.#house, this.#caller, {
      over: (why, end) => {
        this.#lastEnd = end ?? this.#lastEnd;
        this.#over(why);
      },
    });
    this.#conversation.begin(call, bridge);
    this.#caller.log.info({ dialCallSid: call.sid }, "dial: bridged");
    const limit = this.#options.timeLimitSeconds;
    if (limit !== null) {
      this.#timer = this.#house.options.clock.setTimer(limit * 1000, () => this.#over("timeLimit"));
    }
  }

  #ended(branch: Branch, end: LegEnd): void {
    this.#branches.delete(branch);
    this.#lastSid = branch.call.sid;
    this.#lastEnd = end;
    if (this.#state !== "Ringing") return;
    this.#note(branch === this.#winner ? "failed" : dialStatus(end), end.sipStatus);
    branch.bridge.release();
    if (NOT_ACCEPTABLE.has(end.sipStatus) && !branch.secondTry && this.#mayTryAgain()) {
      this.#starting = true;
      void this.#try(branch.target, true).then(() => {
        this.#starting = false;
        if (this.#branches.size === 0) this.#over("exhausted");
      });
    } else if (this.#branches.size === 0 && !this.#starting) this.#over("exhausted");
  }

  #mayTryAgain(): boolean {
    const { leg } = this.#caller;
    return leg.answered && this.#winner === undefined && otherCodecsOf(leg).length > 0;
  }

  /** The callee's call was redirected: it lives on without us. */
  #taken(branch: Branch): void {
    this.#branches.delete(branch);
    this.#lastSid = branch.call.sid;
    if (this.#branches.size === 0 && !this.#starting) this.#over("exhausted");
  }

  #note(status: DialCallStatus, sipStatus: number | null): void {
    if (RANK.indexOf(status) < RANK.indexOf(this.#status)) return;
    this.#status = status;
    this.#lastEnd = { cause: "refused", by: "remote", reasons: this.#lastEnd?.reasons ?? [], sipStatus };
  }

  #step(input: DialInput): boolean {
    const next = nextDialState(this.#state, input);
    if (next === undefined) return false;
    this.#state = next;
    return true;
  }

  #over(input: DialInput): void {
    const bridged = this.#state === "Bridged";
    if (!this.#step(input)) return;
    this.#timer?.cancel();
    this.#signal.removeEventListener("abort", this.#onAbort);
    this.#stopRingback();
    const reasons = input === "aborted" ? this.#caller.reasons : [];
    this.#conversation?.stop(reasons);
    for (const { call, bridge } of [...this.#branches]) {
      bridge.release();
      call.leg.hangup({ reasons });
    }
    this.#caller.tap.ringing(undefined);
    this.#caller.tap.bridgedWith(undefined);
    const elapsedMs = this.#house.options.clock.now() - this.#answeredAt;
    this.#resolve({
      dialCallSid: this.#winner?.call.sid ?? this.#lastSid,
      dialCallStatus: bridged ? "completed" : input === "aborted" ? "canceled" : this.#status,
      durationSeconds: bridged ? Math.ceil(elapsedMs / 1000) : 0,
      bridged,
      sipStatus: this.#lastEnd?.sipStatus ?? null,
      reasons: this.#lastEnd?.reasons ?? [],
    });
  }

  #startRingback(): void {
    const port = this.#caller.leg.media.port;
    if (!port || this.#state !== "Ringing") return;
    this.#ringingPort = port.id;
    this.#house.media.play(port.id, { samples: this.#house.ringback(), loop: 0 }).catch((error: unknown) => {
      this.#caller.log.warn({ error }, "dial: the ringing tone cannot be played");
    });
  }

  #stopRingback(): void {
    if (this.#ringingPort !== undefined) this.#house.media.stopPlay(this.#ringingPort);
    this.#ringingPort = undefined;
  }

  #alert(errorCode: number, text: string, level: "error" | "warning"): void {
    const { accountSid, sid } = this.#caller;
    this.#house.options.alerts.raise({ accountSid, errorCode, level, text, callSid: sid, resourceSid: sid });
  }
}

function dialStatus(end: LegEnd): DialCallStatus {
  const status = finalStatus(end, false);
  return status === "busy" || status === "no-answer" || status === "canceled" ? status : "failed";
}

function callbackOf(target: DialTarget) {
  if (!target.statusCallback) return null;
  return {
    url: target.statusCallback,
    method: target.statusCallbackMethod ?? "POST",
    events: target.statusCallbackEvents ?? [],
  };
}

function isSame(a: SessionDescription, b: SessionDescription | undefined): boolean {
  return b !== undefined && formatSessionDescription(a) === formatSessionDescription(b);
}
