import type { IncomingInvite } from "../signalling/index.ts";
import { admit, type Denied, denyAtOnce, identify } from "./admission.ts";
import type { Call } from "./call.ts";
import { OWN_CAPABILITIES, OWN_CODECS } from "./descriptions.ts";
import { BadDescriptionError, InvalidAddressError } from "./errors.ts";
import { House } from "./house.ts";
import { receiveCall } from "./incoming-call.ts";
import type { CallRoom, CallsOptions } from "./options.ts";
import { makeCall, ring } from "./outgoing-call.ts";
import type { OutgoingLeg } from "./outgoing-leg.ts";
import { isUri } from "./party.ts";
import type { CallControl, CallTap, PlaceCall } from "./ports.ts";
import type { CallRecord } from "./records.ts";
import { askedReplacement, replace } from "./replacement.ts";
import { fromOf, routeTo } from "./route.ts";
import { callbacksOf } from "./status-reporter.ts";
import type { PeerOfFlow } from "./trunks.ts";

/** Builds the room: calls come in by `accept`, go out by `place`. */
export function createCalls(options: CallsOptions): CallRoom {
  return new Room(new House(options));
}

class Room implements CallRoom {
  readonly #house: House;

  constructor(house: House) {
    this.#house = house;
  }

  get liveCount(): number {
    return this.#house.liveCount;
  }

  async start(): Promise<void> {
    const { store, clock, log } = this.#house.options;
    await this.#house.trunks.read();
    const orphans = await store.closeOrphanedCalls(clock.wallNow(), (call) =>
      callbacksOf(call, "completed", clock.wallNow()),
    );
    for (const { sid, sipCallId } of orphans) {
      log.warn({ callSid: sid, callId: sipCallId }, "calls: a call of a process that died was set to failed");
    }
  }

  knows(peer: PeerOfFlow): boolean {
    return this.#house.trunks.knows(peer);
  }

  get authenticates(): boolean {
    return this.#house.options.authenticator !== undefined && this.#house.trunks.users.length > 0;
  }

  get isFull(): boolean {
    return this.#house.refusal !== undefined;
  }

  accept(invite: IncomingInvite): void {
    const denied = denyAtOnce(this.#house, invite);
    if (denied) this.#refuse(invite, denied);
    else void this.#admit(invite);
  }

  async place(options: PlaceCall): Promise<CallRecord> {
    const house = this.#house;
    if (house.refusal) throw house.refusal;
    const kind = isUri(options.to) ? "sip" : "number";
    if (options.from.trim() === "") throw new InvalidAddressError("From is missing");
    const trunk = kind === "number" ? await house.trunks.outboundOf(options.accountSid) : undefined;
    const route = routeTo(
      {
        kind,
        address: options.to,
        username: options.sipAuthUsername ?? undefined,
        password: options.sipAuthPassword ?? undefined,
      },
      trunk,
    );
    if (!route.ok) throw route.error;
    const from = fromOf(options.from, null, house.options.sipHost);
    const { statusCallback, statusCallbackMethod, statusCallbackEvents } = options;
    const call = makeCall(house, {
      accountSid: options.accountSid,
      route: route.value,
      from,
      fromAddress: options.from,
      callback:
        statusCallback === null
          ? null
          : { url: statusCallback, method: statusCallbackMethod, events: statusCallbackEvents },
      timeLimitSeconds: options.timeLimitSeconds,
    });
    try {
      await call.reporter.create();
    } catch (error) {
      call.leg.fail(null);
      throw error;
    }
    const queued = call.record();
    call.log.info({ from: queued.from, to: queued.to }, "call: placed");
    for (const warning of route.value.warnings) this.#warn(call, warning);
    call.owner = {
      earlyMedia: (description) => void call.leg.media.accept(call.leg.offer!, description),
      answered: (description) => {
        if (description) call.leg.media.accept(call.leg.offer!, description);
        if (call.leg.media.line) call.direct(options.source);
        else call.fail(new BadDescriptionError("the callee's answer accepts no audio"));
      },
      ended: () => undefined,
      pickUp: { codecs: () => OWN_CAPABILITIES, done: () => call.direct(options.source) },
    };
    void this.#ring(call, { route: route.value, from, timeoutSeconds: options.timeoutSeconds });
    return queued;
  }

  async announce(callSid: string, samples: Int16Array): Promise<void> {
    const call = this.#house.find(callSid);
    const parties = [call, call?.conversation?.otherOf(call)];
    await Promise.all(
      parties.map(async (party) => {
        const port = party?.leg.answered ? party.leg.media.port : undefined;
        if (port) await this.#house.media.play(port.id, { samples, loop: 1, isAnnouncement: true });
      }),
    );
  }

  find(callSid: string): CallControl | undefined {
    return this.#house.find(callSid);
  }

  tap(callSid: string): CallTap | undefined {
    return this.#house.find(callSid)?.tap;
  }

  live(): readonly CallControl[] {
    return this.#house.calls;
  }

  drain(limitMs: number): Promise<void> {
    return this.#house.drain(limitMs);
  }

  async #ring(call: Call<OutgoingLeg>, invitation: Parameters<typeof ring>[1]): Promise<void> {
    try {
      await call.openMedia(invitation.route.host);
      ring(call, invitation, call.leg.media.offer(OWN_CODECS));
    } catch (error) {
      if (!call.ended) call.fail(error);
    }
  }

  async #admit(invite: IncomingInvite): Promise<void> {
    const { log } = this.#house.options;
    let canceled = false;
    invite.attach({
      onCanceled: () => {
        canceled = true;
      },
    });
    const asked = askedReplacement(invite);
    const release = this.#house.reserve();
    try {
      if (!asked.ok || asked.value) {
        const denied = await this.#replace(invite, asked, () => canceled);
        if (denied && !canceled) this.#refuse(invite, denied);
        return release();
      }
      const admitted = await admit(this.#house, invite);
      release();
      if (canceled) return;
      if (admitted.ok) receiveCall(this.#house, invite, admitted.value);
      else this.#refuse(invite, admitted.error);
    } catch (error) {
      release();
      if (canceled) return;
      if (error instanceof BadDescriptionError) {
        this.#refuse(invite, { status: 400, cause: "malformed" });
        return;
      }
      log.error({ error, callId: invite.callId }, "calls: an INVITE could not be looked up");
      this.#refuse(invite, { status: 500, cause: "store" });
    }
  }

  /** An INVITE with Replaces: who may call may also take a place (RFC 3891 §8: "authorized" as we know it). */
  async #replace(
    invite: IncomingInvite,
    asked: ReturnType<typeof askedReplacement>,
    isCanceled: () => boolean,
  ): Promise<Denied | undefined> {
    const from = await identify(this.#house, invite);
    if (!from.ok) return from.error;
    if (isCanceled()) return undefined;
    const done = asked.ok && asked.value ? replace(this.#house, invite, asked.value, from.value) : asked;
    return done.ok ? undefined : { status: done.error, cause: "replaces" };
  }

  #refuse(invite: IncomingInvite, { status, cause, headers }: Denied): void {
    const address = invite.flow.remoteAddress;
    const { log, onRefused } = this.#house.options;
    // A flood from strangers is counted, not written down line by line.
    const write = cause === "source" || cause === "challenge" ? log.debug : log.info;
    write.call(log, { callId: invite.callId, address, status, cause }, "calls: an INVITE was refused");
    invite.reject(status, headers ? { headers } : {});
    onRefused?.({ status, cause, address });
  }

  #warn(call: Call, text: string): void {
    this.#house.options.alerts.raise({
      accountSid: call.accountSid,
      errorCode: 32112,
      level: "warning",
      text,
      callSid: call.sid,
      resourceSid: call.sid,
    });
  }
}
