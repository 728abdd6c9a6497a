import type { RecordIndication } from "@callfork/protocol/sdp";
import type { Log } from "../observe/index.ts";
import type { Leg } from "./leg.ts";
import type { CallParty, CallTap } from "./ports.ts";
import { combined } from "./recording-notice.ts";
import type { CallRecord } from "./records.ts";

/** What forks may know of a call, and when it changes. */
export class Tap implements CallTap {
  readonly callSid: string;
  readonly accountSid: string;
  #leg: Leg;
  readonly #log: Log;
  #party: CallParty;
  readonly #dialled: CallParty;
  #sipSessionId: string | undefined;
  /** Told when the sum of the forks may have changed. */
  onRecording: (() => void) | undefined;
  readonly #forks = new Map<string, RecordIndication>();
  readonly #changeHandlers = new Set<() => void>();
  readonly #endHandlers = new Set<() => void>();
  #bridged: CallParty | undefined;
  #rung: CallParty | undefined;
  #ended = false;
  #reasons: readonly string[] = [];

  constructor(
    record: CallRecord,
    leg: Leg,
    log: Log,
    who: {
      readonly party: CallParty;
      readonly dialled: CallParty;
      readonly sipSessionId?: string | undefined;
    },
  ) {
    this.callSid = record.sid;
    this.accountSid = record.accountSid;
    this.#leg = leg;
    this.#log = log;
    this.#party = who.party;
    this.#dialled = who.dialled;
    this.#sipSessionId = who.sipSessionId;
  }

  mediaLeg(): number | undefined {
    return this.#ended || !this.#leg.media.line ? undefined : this.#leg.media.port?.id;
  }

  codecs(): ReturnType<CallTap["codecs"]> {
    const line = this.#leg.media.line;
    if (!line) return [];
    return [...line.codecs, ...line.telephoneEvents].map(
      ({ name, clockRateHz, sendPayloadType, receivePayloadType, fmtp }) => ({
        name,
        clockRateHz,
        payloadType: sendPayloadType,
        receivePayloadType,
        ...(fmtp !== undefined && { fmtp }),
      }),
    );
  }

  direction(): ReturnType<CallTap["direction"]> {
    return this.#leg.media.line?.direction ?? "sendrecv";
  }

  party(): CallParty {
    return this.#party;
  }

  counterpart(): CallParty {
    return this.#bridged ?? this.#rung ?? this.#dialled;
  }

  encryption(): ReturnType<CallTap["encryption"]> {
    return this.#leg.media.line?.srtp?.receive.suite;
  }

  recordingChanged(siprecSid: string, state: RecordIndication): void {
    if (this.#ended || (this.#forks.get(siprecSid) ?? "off") === state) return;
    if (state === "off") this.#forks.delete(siprecSid);
    else this.#forks.set(siprecSid, state);
    this.onRecording?.();
  }

  /** All forks together. */
  get recording(): RecordIndication {
    return combined([...this.#forks.values()]);
  }

  /** SIDs of the forks in that state. */
  forksThat(state: RecordIndication): readonly string[] {
    return [...this.#forks].flatMap(([sid, its]) => (its === state ? [sid] : []));
  }

  recordingPreference(): ReturnType<CallTap["recordingPreference"]> {
    return this.#leg.media.recordPreference;
  }

  reasons(): readonly string[] {
    return this.#reasons;
  }

  sipSessionId(): string | undefined {
    return this.#sipSessionId;
  }

  /** Whom the call talks to now; `undefined` when the bridge is gone. */
  bridgedWith(party: CallParty | undefined): void {
    this.#bridged = party;
    this.changed();
  }

  /** Another party speaks on another leg; told when its media is agreed. */
  replaced(leg: Leg, party: CallParty, sipSessionId: string | undefined): void {
    this.#leg = leg;
    this.#party = party;
    this.#sipSessionId = sipSessionId;
  }

  /** Whom `<Dial>` rings: the counterpart until somebody answers. */
  ringing(party: CallParty | undefined): void {
    this.#rung = party;
  }

  onChange(handler: () => void): () => void {
    this.#changeHandlers.add(handler);
    return () => void this.#changeHandlers.delete(handler);
  }

  onEnded(handler: () => void): () => void {
    this.#endHandlers.add(handler);
    return () => void this.#endHandlers.delete(handler);
  }

  changed(): void {
    if (!this.#ended) this.#tell(this.#changeHandlers);
  }

  /** @param reasons - what its Reason header fields say */
  ended(reasons: readonly string[] = []): void {
    if (this.#ended) return;
    this.#reasons = reasons;
    this.#tell(this.#endHandlers);
    this.#ended = true;
    this.#endHandlers.clear();
    this.#changeHandlers.clear();
  }

  /** A fork that throws harms neither the call nor the other forks. */
  #tell(handlers: ReadonlySet<() => void>): void {
    for (const handler of [...handlers]) {
      try {
        handler();
      } catch (error) {
        this.#log.error({ error }, "call: a handler of its tap threw");
      }
    }
  }
}
