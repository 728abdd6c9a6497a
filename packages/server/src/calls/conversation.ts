import type { SipRequest } from "@callfork/protocol/sip";
import type { DialogAnswer } from "../signalling/index.ts";
import type { Bridge } from "./bridge.ts";
import type { Call } from "./call.ts";
import type { LegEnd } from "./end-status.ts";
import type { House } from "./house.ts";
import type { Leg } from "./leg.ts";
import { isSilent, ReferNotifier } from "./refer-notifier.ts";
import { Transfer, type TransferHost } from "./transfer.ts";
import { readTransfer } from "./transfer-target.ts";

export interface ConversationEvents {
  /** The anchor has nobody to talk to any more. Told once, and not after `stop`. */
  over(why: "calleeEnded" | "calleeTaken", end: LegEnd | undefined): void;
}

/**
 * Two calls that talk to each other. The anchor is the one whose document bridged them, or who was left behind by a
 * transfer; its partner may change by transfers of either side.
 */
export class Conversation implements TransferHost {
  readonly #house: House;
  readonly #anchor: Call;
  readonly #events: ConversationEvents;
  #partner: { readonly call: Call; readonly bridge: Bridge } | undefined;
  #transfer: Transfer | undefined;
  readonly #referrers = new WeakSet<Leg>();
  #over = false;
  #ringingPort: number | undefined;

  constructor(house: House, anchor: Call, events: ConversationEvents) {
    this.#house = house;
    this.#anchor = anchor;
    this.#events = events;
  }

  otherOf(call: Call): Call | undefined {
    return call === this.#anchor ? this.#partner?.call : this.#anchor;
  }

  /** Both are answered and share a codec. From now on the partner is this conversation's to look after. */
  begin(call: Call, bridge: Bridge): void {
    const anchor = this.#anchor;
    this.#partner = { call, bridge };
    call.owner = {
      earlyMedia: () => undefined,
      answered: () => undefined,
      ended: (end) => this.#partnerEnded(call, end),
      taken: () => this.#partnerTaken(call),
    };
    bridge.connect();
    bridge.negotiate();
    for (const [one, other] of [
      [call, anchor],
      [anchor, call],
    ] as const) {
      one.conversation = this;
      one.leg.referred = (refer) => this.#referred(one, refer);
      one.tap.bridgedWith(other.tap.party());
    }
    anchor.recording.changed();
  }

  /** The anchor leaves: its partner is hung up, unless the anchor was just transferring it. */
  stop(reasons: readonly string[]): void {
    if (this.#over) return;
    this.#over = true;
    this.#stopRingback();
    const transfer = this.#transfer;
    if (transfer?.transferor === this.#anchor && this.#partner?.call.ended === false) {
      this.#handOver(transfer);
      return;
    }
    transfer?.cancel();
    this.#part()?.leg.hangup({ reasons });
  }

  /** Gives one of the two away, for somebody else to talk to. */
  release(call: Call): void {
    if (this.#over) return;
    this.#over = true;
    this.#stopRingback();
    this.#transfer?.cancel();
    const partner = this.#part();
    if (call !== this.#anchor) this.#events.over("calleeTaken", undefined);
    else {
      partner?.leg.hangup();
      call.owner = undefined;
      call.leaveProgram();
    }
  }

  transferred(transfer: Transfer, target: Call, bridge: Bridge): void {
    this.#transfer = undefined;
    this.#stopRingback();
    if (transfer.transferor === this.#anchor) {
      this.#over = true;
      this.#handOver(transfer).transferred(transfer, target, bridge);
      this.#anchor.leaveProgram();
    } else {
      this.#part();
      this.begin(target, bridge);
    }
  }

  transferFailed(): void {
    this.#transfer = undefined;
    this.#stopRingback();
    if (this.#partner === undefined) this.#end("calleeEnded", undefined);
  }

  #referred(from: Call, refer: SipRequest): DialogAnswer {
    const transferee = this.otherOf(from);
    const dialog = from.leg.dialog;
    if (this.#over || !transferee || !dialog) return { status: 603 };
    if (this.#transfer) return { status: 491 }; // one at a time
    const request = readTransfer(this.#house, from, refer);
    if (!request.ok) {
      from.log.info({ status: request.error }, "transfer: refused");
      return { status: request.error };
    }
    const notifier = new ReferNotifier(dialog, refer, !this.#referrers.has(from.leg));
    this.#referrers.add(from.leg);
    const transfer = new Transfer(this.#house, this, {
      transferor: from,
      transferee,
      request: request.value,
      notifier,
    });
    this.#transfer = transfer;
    from.log.info({ to: request.value.target.address, of: transferee.sid }, "transfer: asked for");
    queueMicrotask(() => transfer.start()); // after the 202
    return isSilent(refer) ? { status: 202, headers: [["Refer-Sub", "false"]] } : { status: 202 };
  }

  #partnerEnded(call: Call, end: LegEnd): void {
    if (this.#partner?.call !== call) return;
    const transfer = this.#transfer;
    this.#part();
    if (transfer?.transferor === call) {
      this.#startRingback(); // it has left before its target answered
      return;
    }
    transfer?.cancel();
    this.#end("calleeEnded", end);
  }

  /** The partner's call got a document of its own. */
  #partnerTaken(call: Call): void {
    if (this.#partner?.call !== call) return;
    this.#transfer?.cancel();
    this.#part();
    this.#end("calleeTaken", undefined);
  }

  /** The partner becomes the anchor of a conversation of its own, with the transfer that goes on in it. */
  #handOver(transfer: Transfer): Conversation {
    const call = this.#part()!;
    const heir: Conversation = new Conversation(this.#house, call, { over: () => void call.hangup() });
    call.owner = {
      earlyMedia: () => undefined,
      answered: () => undefined,
      ended: () => heir.stop([]),
      taken: () => heir.stop([]),
    };
    heir.#transfer = transfer;
    transfer.host = heir;
    this.#transfer = undefined;
    if (this.#anchor.ended) heir.#startRingback();
    return heir;
  }

  #part(): Call | undefined {
    const partner = this.#partner;
    if (!partner) return undefined;
    this.#partner = undefined;
    partner.call.owner = undefined;
    partner.bridge.release();
    for (const one of [this.#anchor, partner.call]) {
      one.conversation = undefined;
      one.leg.referred = undefined;
      one.tap.bridgedWith(undefined);
    }
    for (const one of [this.#anchor, partner.call]) one.recording.changed();
    return partner.call;
  }

  #end(why: "calleeEnded" | "calleeTaken", end: LegEnd | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#events.over(why, end);
  }

  #startRingback(): void {
    const { port } = this.#anchor.leg.media;
    if (!port || this.#over) return;
    this.#ringingPort = port.id;
    const options = { samples: this.#house.ringback(), loop: 0 };
    this.#house.media.play(port.id, options).catch((error: unknown) => {
      this.#anchor.log.warn({ error }, "transfer: the ringing tone cannot be played");
    });
  }

  #stopRingback(): void {
    if (this.#ringingPort !== undefined) this.#house.media.stopPlay(this.#ringingPort);
    this.#ringingPort = undefined;
  }
}
