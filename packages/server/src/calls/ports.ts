import type { CryptoSuite, Direction, RecordIndication, RecordPreference } from "@callfork/protocol/sdp";
import type { CallbackRequest } from "./callbacks.ts";
import type { CallRecord, NumberRecord, SiprecRecord, SiprecTrack, TrunkRecord } from "./records.ts";

/** What `calls` asks of the store. Every promise resolves when the change is durable. */
export interface CallStore {
  /** Inserts or replaces the row, and the callbacks it owes, in one transaction. */
  saveCall(call: CallRecord, callbacks: readonly CallbackRequest[]): Promise<void>;
  /** The number that `user` names, of any account; an exact match. */
  findNumber(user: string): Promise<NumberRecord | undefined>;
  /** All trunks: few, cached by the caller's choice. */
  listTrunks(): Promise<readonly TrunkRecord[]>;
  /**
   * Calls that were live when the process died: set to failed at start, in one transaction with the callbacks that are
   * `owed` for each. Returns them as they are then.
   */
  closeOrphanedCalls(
    now: number,
    owed?: (call: CallRecord) => readonly CallbackRequest[],
  ): Promise<readonly CallRecord[]>;
}

/** A TwiML document as the verbs receive it, or where to get it. */
export type DocumentSource =
  | { readonly kind: "inline"; readonly twiml: string }
  | {
      readonly kind: "url";
      readonly url: string;
      readonly method: "GET" | "POST";
      readonly fallbackUrl: string | null;
      readonly fallbackMethod: "GET" | "POST";
    };

export interface SiprecStart {
  readonly name: string | null;
  readonly connectorName: string | null;
  readonly track: SiprecTrack | null;
  /** Name of the edge that the session leaves from; without it: as the connector says. */
  readonly edge?: string | null;
  readonly statusCallback: string | null;
  readonly statusCallbackMethod: "GET" | "POST";
  readonly parameters: readonly { readonly name: string; readonly value: string }[];
  /** Who asked: errors of a REST request go back in its answer, those of a document become alerts and `siprec-error`. */
  readonly origin: "rest" | "twiml";
}

/**
 * The forks of a call: `recording-client` implements it, `verbs` and `api` call it.
 * All methods throw `PlatformError`s whose publicCode is 31940, 31941, 31960, 21220, 20404 …
 */
export interface Forks {
  /** Durable when it resolves; the recorder is called afterwards. */
  start(callSid: string, options: SiprecStart): Promise<SiprecRecord>;
  /** By SID or by name, the newest live one first. A stopped one is returned as it is. */
  stop(callSid: string, sidOrName: string): Promise<SiprecRecord>;
  /** Found as for `stop`. When it resolves nothing more leaves, and that is durable. One that is paused stays so. */
  pause(callSid: string, sidOrName: string): Promise<SiprecRecord>;
  /** Found as for `stop`. Durable when it resolves; packets flow as soon as the recorder agrees. */
  resume(callSid: string, sidOrName: string): Promise<SiprecRecord>;
  /** A live fork of this node with its counters as of now; `undefined`: there is none of that SID. */
  inspect(callSid: string, siprecSid: string): Promise<SiprecRecord | undefined>;
}

/** Runs a call's documents: `verbs` implements it, `calls` starts it. */
export interface Director {
  /** Called when a call wants instructions: an inbound call came in, an outbound one was answered, or it was redirected. */
  direct(call: CallControl, source: DocumentSource): void;
}

export interface DialTarget {
  readonly kind: "number" | "sip";
  /** E.164 or extension for a number (sent through a trunk), a SIP URI otherwise; URI headers (?X-a=b) allowed. */
  readonly address: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly statusCallback?: string | undefined;
  readonly statusCallbackMethod?: "GET" | "POST" | undefined;
  readonly statusCallbackEvents?: readonly string[] | undefined;
}

export interface DialOptions {
  /** Rung at the same time; the first to answer wins, the others are cancelled. At most 10. */
  readonly targets: readonly DialTarget[];
  readonly callerId: string | null;
  readonly timeoutSeconds: number;
  /** false: the caller is answered before the callee is rung. */
  readonly answerOnBridge: boolean;
  readonly timeLimitSeconds: number | null;
}

export interface DialResult {
  readonly dialCallSid: string | null;
  readonly dialCallStatus: "completed" | "answered" | "busy" | "no-answer" | "failed" | "canceled";
  readonly durationSeconds: number;
  readonly bridged: boolean;
}

/**
 * What verbs and api may do to one call. Verbs that need media answer the call by themselves.
 * After the call has ended every method returns at once and does nothing; promises resolve.
 */
export interface CallControl {
  readonly sid: string;
  readonly accountSid: string;
  /** A snapshot; ask again for news. */
  record(): CallRecord;
  /** Twilio's voice request parameters for this call as of now. */
  requestParameters(): readonly (readonly [string, string])[];
  readonly ended: boolean;
  /** Aborted when the call ends or gets a new document: whatever a verb waits for should stop. */
  readonly signal: AbortSignal;
  answer(): Promise<void>;
  /** Rings the targets and bridges; resolves when the other leg is over or nobody answered. */
  dial(options: DialOptions): Promise<DialResult>;
  play(samples: Int16Array, loop: number): Promise<void>;
  pause(seconds: number): Promise<void>;
  /** Before answer: 486 (busy) or 603-class refusal. */
  reject(reason: "rejected" | "busy"): Promise<void>;
  /** BYE; before the answer a refusal: with `sipStatus`, else with what the last `dial` came to, else 480. */
  hangup(options?: { readonly sipStatus?: number }): Promise<void>;
  /** Starts over with another document; the running one is aborted. */
  redirect(source: DocumentSource): void;
}

export interface PlaceCall {
  readonly accountSid: string;
  readonly from: string;
  readonly to: string;
  readonly source: DocumentSource;
  readonly timeoutSeconds: number;
  readonly timeLimitSeconds: number | null;
  readonly statusCallback: string | null;
  readonly statusCallbackMethod: "GET" | "POST";
  /** initiated, ringing, answered, completed; default completed. */
  readonly statusCallbackEvents: readonly string[];
  readonly sipAuthUsername: string | null;
  readonly sipAuthPassword: string | null;
}

/** The face of `calls` towards api, verbs and recording-client. */
export interface Calls {
  /** Durable (queued) when it resolves; then it is rung. */
  place(options: PlaceCall): Promise<CallRecord>;
  /** Live calls only. */
  find(callSid: string): CallControl | undefined;
  tap(callSid: string): CallTap | undefined;
  readonly liveCount: number;
  /** No new calls (503); resolves when the live ones are over or after `limitMs`, when they get BYE. */
  drain(limitMs: number): Promise<void>;
}

/** A party of the call, as metadata names it. */
export interface CallParty {
  /** sip:/tel: URI as signalled. */
  readonly aor: string;
  readonly displayName: string | null;
}

/** What `recording-client` sees of a live call: enough to hang a fork on it. */
export interface CallTap {
  readonly callSid: string;
  readonly accountSid: string;
  /** The media leg of the party this call is with; undefined until media is set up. */
  mediaLeg(): number | undefined;
  /** The codecs that leg uses now, with payload type numbers as on the wire. */
  codecs(): readonly {
    readonly name: string;
    readonly clockRateHz: number;
    /** Of packets to the party. */
    readonly payloadType: number;
    /** Of packets from the party, where that is another one (RFC 3264 §5.1). */
    readonly receivePayloadType?: number;
    readonly fmtp?: string;
  }[];
  /** Who is heard on "inbound": the party of this leg. */
  party(): CallParty;
  /** Who is heard on "outbound": the bridged party, or the dialled address when nobody is bridged. */
  counterpart(): CallParty;
  /** Of the leg's media as seen from us: `recvonly` while its party has put the call on hold; `sendrecv` before the answer. */
  direction(): Direction;
  /** RFC 7989 identifier of the leg's dialog where there is one. */
  sipSessionId(): string | undefined;
  /** Values of the Reason header fields that ended the call (RFC 3326); none before its end. */
  reasons(): readonly string[];
  /** The suite that protects the media of the call's leg; `undefined`: it goes in the clear. */
  encryption(): CryptoSuite | undefined;
  /**
   * Says what one fork of the call does: `on` while a recorder records, or is replaced; `paused`; `off` at its end.
   * The call sums up all its forks and tells its parties when the sum has changed (RFC 7866 §6.1.2). Repeats are free.
   */
  recordingChanged(siprecSid: string, state: RecordIndication): void;
  /** What the call's party wishes by `a=recordpref`, as it said last (RFC 7866 §7.1.3). */
  recordingPreference(): RecordPreference;
  /** Media is up, answered, or a changed one of the above. Returns a function that takes the handler off. */
  onChange(handler: () => void): () => void;
  /** Called once, before the legs' ports are closed. */
  onEnded(handler: () => void): () => void;
}
