import { codecsForOtherLeg } from "@callfork/protocol/offer-answer";
import type { SessionDescription } from "@callfork/protocol/sdp";
import { PlatformError } from "../observe/index.ts";
import { Bridge } from "./bridge.ts";
import type { Call } from "./call.ts";
import type { LegEnd } from "./end-status.ts";
import { BadDescriptionError, CallEndedError, TooManyHopsError } from "./errors.ts";
import type { House } from "./house.ts";
import { makeCall, ring } from "./outgoing-call.ts";
import type { OutgoingLeg } from "./outgoing-leg.ts";
import { voiceAddressOf } from "./party.ts";
import type { ReferNotifier } from "./refer-notifier.ts";
import { fromOf, routeTo } from "./route.ts";
import { makeRelayable, settle } from "./settle.ts";
import { Splice } from "./splice.ts";
import type { TransferRequest } from "./transfer-target.ts";

/** The conversation that a transfer takes place in. */
export interface TransferHost {
  /** The target has been reached and shares a codec with the transferee: it takes the transferor's place. */
  transferred(transfer: Transfer, target: Call, bridge: Bridge): void;
  /** All stays as it was. */
  transferFailed(transfer: Transfer): void;
}

export interface TransferOptions {
  readonly transferor: Call;
  readonly transferee: Call;
  readonly request: TransferRequest;
  readonly notifier: ReferNotifier;
}

/** As long as a `<Dial>` may ring at most would be long to leave somebody waiting. */
const RINGING_SECONDS = 60;

/**
 * One transfer (RFC 3515, RFC 5589): rings the target, or takes the other party of the transferor's second call, and
 * puts it in the transferor's place. Until then nothing has changed for anybody, so a failure needs no repair.
 */
export class Transfer {
  host: TransferHost;
  readonly transferor: Call;
  readonly transferee: Call;
  readonly #house: House;
  readonly #request: TransferRequest;
  readonly #notifier: ReferNotifier;
  #target: Call<OutgoingLeg> | undefined;
  #description: SessionDescription | undefined;
  #over = false;

  constructor(house: House, host: TransferHost, options: TransferOptions) {
    this.#house = house;
    this.host = host;
    this.transferor = options.transferor;
    this.transferee = options.transferee;
    this.#request = options.request;
    this.#notifier = options.notifier;
  }

  start(): void {
    this.#notifier.tell(100);
    const { consultation } = this.#request;
    const started = consultation ? this.#joinConsultation(consultation) : this.#ring();
    started.catch((error: unknown) => this.#failedBy(error));
  }

  /** The transferee is gone: there is nobody to transfer. */
  cancel(): void {
    if (this.#over) return;
    this.#over = true;
    this.#target?.leg.hangup();
    this.#notifier.tell(487);
  }

  async #ring(): Promise<void> {
    const { transferee } = this;
    const { target, headers } = this.#request;
    const house = this.#house;
    const { accountSid } = transferee;
    const trunk = target.kind === "number" ? await house.trunks.outboundOf(accountSid) : undefined;
    const route = routeTo(target, trunk);
    if (!route.ok) throw route.error;
    if (house.refusal) throw house.refusal;
    if (transferee.hopsLeft < 0) throw new TooManyHopsError("the call has no hop left");
    const { aor, displayName } = transferee.tap.party();
    const fromAddress = voiceAddressOf(aor);
    const from = fromOf(fromAddress, displayName, house.options.sipHost);
    const call = makeCall(house, {
      accountSid,
      parent: transferee,
      route: route.value,
      from,
      fromAddress,
      callback: null,
      timeLimitSeconds: null,
    });
    this.#target = call;
    call.reporter.change({});
    call.owner = {
      ringing: () => this.#notifier.tell(180),
      earlyMedia: (description) => {
        this.#description = description;
        this.#notifier.tell(183);
      },
      answered: (description) => {
        this.#answered(call, description ?? this.#description).catch((error: unknown) =>
          this.#failedBy(error),
        );
      },
      ended: (end) => this.#failed(refusalOf(end)),
    };
    try {
      await call.openMedia(route.value.host);
    } catch (error) {
      call.leg.fail(503);
      throw error;
    }
    const line = transferee.leg.media.line;
    if (this.#over || !line) return call.leg.hangup();
    const { invite } = route.value;
    const withHeaders = {
      ...route.value,
      invite: { ...invite, headers: [...(invite.headers ?? []), ...headers] },
    };
    ring(
      call,
      { route: withHeaders, from, timeoutSeconds: RINGING_SECONDS },
      call.leg.media.offer(codecsForOtherLeg(line)),
    );
  }

  async #answered(call: Call<OutgoingLeg>, description: SessionDescription | undefined): Promise<void> {
    if (this.#over) return call.leg.hangup();
    if (!description) throw new BadDescriptionError("the target answered without a session description");
    const settled = settle(this.transferee.leg, call.leg, description);
    if (!settled.ok) throw settled.error;
    await makeRelayable(this.transferee.leg, call.leg);
    if (this.#over || call.ended) return call.leg.hangup();
    this.#succeeded(call, undefined);
  }

  /** The transferor speaks with the target already, in a second call through us. */
  async #joinConsultation(consultation: Call): Promise<void> {
    const { transferee } = this;
    const second = consultation.conversation;
    const target = second?.otherOf(consultation);
    const isOther = target !== undefined && target !== transferee && target !== this.transferor;
    if (!second || !isOther) throw new CallEndedError("the second call has no other party");
    const splice = await Splice.open(this.#house.media, transferee.leg.media, target.leg.media);
    try {
      await makeRelayable(transferee.leg, target.leg);
      if (this.#over || target.ended || consultation.conversation !== second) {
        throw new CallEndedError("a party of the transfer has hung up meanwhile");
      }
    } catch (error) {
      splice?.close();
      throw error;
    }
    second.release(target);
    consultation.leg.hangup();
    this.#succeeded(target, splice);
  }

  #succeeded(target: Call, splice: Splice | undefined): void {
    this.#over = true;
    const { transferee, transferor } = this;
    const bridge = new Bridge(this.#house.media, transferee, target, transferee.log, splice);
    this.host.transferred(this, target, bridge);
    this.#notifier.tell(200);
    transferee.log.info({ by: transferor.sid, to: target.sid }, "transfer: done");
    // RFC 5589 §6.1 leaves the BYE to the transferor, once it knows; one that waits for ours gets it too.
    void this.#notifier.flushed().then(() => {
      if (!transferor.ended) transferor.leg.hangup();
    });
  }

  #failedBy(error: unknown): void {
    const known = error instanceof PlatformError ? error : undefined;
    this.transferee.log.warn({ error }, "transfer: the target could not be reached");
    this.#failed(known?.sipStatus ?? 503);
  }

  #failed(status: number): void {
    if (this.#over) return;
    this.#over = true;
    this.#target?.leg.hangup();
    this.#notifier.tell(status);
    this.transferee.log.info({ by: this.transferor.sid, status }, "transfer: failed");
    this.host.transferFailed(this);
  }
}

const refusalOf = ({ sipStatus }: LegEnd): number =>
  sipStatus !== null && sipStatus >= 300 ? sipStatus : 503;
