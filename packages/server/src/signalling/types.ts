import type { SipRequest, SipResponse } from "@callfork/protocol/sip";
import type { SipDestination, SipFlow, SipTlsContext, TransportErrorReason } from "../net/index.ts";

/** A body with its type; `disposition` becomes Content-Disposition. */
export interface SipBody {
  readonly contentType: string;
  readonly bytes: Uint8Array;
  readonly disposition?: string;
}

export type HeaderLine = readonly [name: string, value: string];

/** One INVITE to send. Addresses are URIs or name-addrs as text (`"Alice" <sip:alice@example.com>`). */
export interface InviteOptions {
  readonly requestUri: string;
  readonly from: string;
  readonly to: string;
  /** Put into every request of the dialog? No: these go into this INVITE only. */
  readonly headers?: readonly HeaderLine[];
  readonly body?: SipBody;
  /** Parameters behind the Contact URI, e.g. `;+sip.src`; repeated in every target refresh. */
  readonly contactParameters?: string;
  /** User part of our Contact URI. */
  readonly contactUser?: string;
  /** Send here instead of resolving the Request-URI. */
  readonly destination?: SipDestination;
  /** Name of the listeners that the dialog's requests leave from (`SipListener`); without it: those that have none. */
  readonly edge?: string | undefined;
  /** Our certificate for this peer and who may vouch for it (PEM), instead of the node's. */
  readonly tls?: Omit<SipTlsContext, "serverName">;
  /** For 401 and 407 (RFC 7616: MD5, SHA-256). */
  readonly credentials?: { readonly username: string; readonly password: string };
  /** Give up (CANCEL when ringing) when no final answer came in this time. Default: Timer B / 180 s after a provisional. */
  readonly timeoutMs?: number;
}

/** Why an INVITE found no dialog. `status` is what to tell others: the peer's, or 408 / 503 of our own making. */
export interface InviteFailure {
  readonly status: number;
  readonly reason: string;
  /** The peer's final answer; undefined when none came. */
  readonly response?: SipResponse;
  /** "unresolvable": never sent, for want of an address (404) or because it could not be written (500). */
  readonly cause: "rejected" | "timeout" | "transport" | "canceled" | "unresolvable";
  /** Addresses that 3xx answers led to, in the order they were tried; absent when there were none. */
  readonly redirects?: readonly string[];
  readonly message: string;
  /** For cause "transport": what the transport said of the last address. "unavailable": this node does not speak it. */
  readonly transportReason?: TransportErrorReason;
}

export interface OutgoingInviteHandlers {
  /** 101 to 199. A reliable one (RFC 3262) is told once and in order. */
  onProvisional?(response: SipResponse, body: readonly ReceivedPart[]): void;
  /** After `onProvisional` for a reliable one: the body returned goes into its PRACK, as the answer to an offer in it. */
  answerProvisional?(response: SipResponse, body: readonly ReceivedPart[]): SipBody | undefined;
  /** UPDATE in an early dialog (RFC 3311). Without a handler: 200 when it has no description, else 488. */
  onUpdate?(request: SipRequest, body: readonly ReceivedPart[]): DialogAnswer;
  /**
   * A 2xx came; the dialog is confirmed. ACK is sent as soon as this returns: with the body returned,
   * when the INVITE carried no offer. Called once; further forked 2xx are acknowledged and ended with BYE.
   */
  onAnswered(dialog: SipDialog, response: SipResponse, body: readonly ReceivedPart[]): SipBody | undefined;
  onFailed(failure: InviteFailure): void;
}

export interface OutgoingInvite {
  readonly callId: string;
  /** CANCEL, or what a CANCEL race needs (RFC 3261 §9.1): `onFailed` with cause "canceled", a late 2xx gets ACK and BYE. */
  cancel(reason?: string): void;
}

/** One leaf of a received body: multipart is taken apart already. */
export interface ReceivedPart {
  /** Lower-case type/subtype without parameters. */
  readonly mediaType: string;
  readonly contentType: string;
  readonly disposition: string | undefined;
  readonly bytes: Uint8Array;
}

export interface IncomingInviteHandlers {
  /** The INVITE is over without an answer of yours: CANCEL came, BYE, or no PRACK. Its refusal has been sent. */
  onCanceled(): void;
  /**
   * PRACK for a reliable provisional, with its body: the answer to an offer in that provisional, or a new offer, whose
   * answer goes into the 200. Without a handler: 200, or 488 to a new offer.
   */
  onPrack?(request: SipRequest, body: readonly ReceivedPart[]): DialogAnswer;
  /** UPDATE with an offer in the early dialog, once a reliable answer has been acknowledged. Without a handler: 488. */
  onUpdate?(request: SipRequest, body: readonly ReceivedPart[]): DialogAnswer;
}

/** An INVITE outside a dialog. 100 Trying is sent by itself. Exactly one of `answer` and `reject` is called. */
export interface IncomingInvite {
  readonly request: SipRequest;
  readonly flow: SipFlow;
  readonly callId: string;
  readonly body: readonly ReceivedPart[];
  /** Warnings of lenient reading: bare LF, missing boundary and the like. */
  readonly warnings: readonly string[];
  attach(handlers: IncomingInviteHandlers): void;
  /**
   * 180, 183 … with the dialog's own tag. Sent reliably (RFC 3262) when the caller requires that, or supports it and
   * the body is a session description; then the next waits for the PRACK, and so does a 200.
   */
  provisional(
    status: number,
    options?: { readonly body?: SipBody; readonly headers?: readonly HeaderLine[] },
  ): void;
  /** 200; after PRACK when a reliable provisional with a description waits for it. Repeated until ACK (RFC 3261 §13.3.1.4); without ACK in 64*T1 the dialog ends by itself with BYE. */
  answer(options: {
    readonly body?: SipBody;
    readonly headers?: readonly HeaderLine[];
    readonly contactParameters?: string;
  }): SipDialog;
  reject(
    status: number,
    options?: { readonly reason?: string; readonly headers?: readonly HeaderLine[] },
  ): void;
}

/** What an in-dialog request gets for an answer. A refused request changes nothing (RFC 3261 §12.2.2). */
export interface DialogAnswer {
  readonly status: number;
  readonly reason?: string;
  readonly body?: SipBody;
  readonly headers?: readonly HeaderLine[];
}

export interface DialogHandlers {
  /** ACK to our 2xx, with the answer when our 2xx carried the offer. */
  onAcknowledged?(ack: SipRequest, body: readonly ReceivedPart[]): void;
  /** re-INVITE; may answer later. Without a handler: 488. */
  onReinvite?(request: SipRequest, body: readonly ReceivedPart[]): DialogAnswer | Promise<DialogAnswer>;
  /** UPDATE; answers promptly, at most a durable write later. Without a handler: 200 when it has no body, else 488. */
  onUpdate?(request: SipRequest, body: readonly ReceivedPart[]): DialogAnswer | Promise<DialogAnswer>;
  /** INFO, MESSAGE, NOTIFY, REFER … in the dialog. Without a handler: 405, INFO 200, REFER 603. */
  onRequest?(request: SipRequest, body: readonly ReceivedPart[]): DialogAnswer | Promise<DialogAnswer>;
  /**
   * The dialog is over, called exactly once: the peer's BYE (answered 200 already), our own, no ACK,
   * 481/408 to a request of ours, or the transport. `request` is the peer's BYE.
   */
  onEnded(why: DialogEnd): void;
}

export interface DialogEnd {
  readonly by: "local" | "remote";
  readonly cause: "bye" | "no-ack" | "request-failed" | "expired" | "stopped";
  readonly request?: SipRequest;
  readonly body?: readonly ReceivedPart[];
}

export interface DialogRequestOptions {
  readonly body?: SipBody;
  /**
   * For re-INVITE and UPDATE with an offer: makes the body when the request goes out, and again after a 491. What was
   * made before the wait may be out of date: the peer's own offer may have raised the version of `o=` meanwhile.
   */
  readonly renewBody?: () => SipBody;
  readonly headers?: readonly HeaderLine[];
  /**
   * For UPDATE: without any answer (408, a way that failed) the dialog goes on all the same, against the SHOULD of
   * RFC 3261 §12.2.1.2. For what is asked of peers that may not know how to answer; 481 ends the dialog as ever.
   */
  readonly mayGoUnanswered?: boolean;
}

export interface ReinviteOptions extends DialogRequestOptions {
  /** A 2xx came. The body returned goes into the ACK: the answer, when the re-INVITE carried no offer. */
  onAnswered?(response: SipResponse, body: readonly ReceivedPart[]): SipBody | undefined;
}

export interface SipDialog {
  readonly callId: string;
  readonly localTag: string;
  readonly remoteTag: string;
  /** The peer's URI in To (when we called) or From. */
  readonly remoteUri: string;
  /** Methods of the peer's Allow header field; empty when it sent none. */
  readonly remoteAllow: ReadonlySet<string>;
  attach(handlers: DialogHandlers): void;
  /** Resolves with the final answer, whatever its status; ACK is sent. Glare (491) is retried as §14.1 says. */
  reinvite(options: ReinviteOptions): Promise<SipResponse>;
  update(options: DialogRequestOptions): Promise<SipResponse>;
  request(method: string, options: DialogRequestOptions): Promise<SipResponse>;
  /** Ends the dialog; repeated calls do nothing more. Resolves when answered or given up. */
  bye(options?: DialogRequestOptions): Promise<void>;
}

export interface TraceEvent {
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly direction: "in" | "out";
  readonly flow: Pick<SipFlow, "transport" | "localAddress" | "localPort" | "remoteAddress" | "remotePort">;
  readonly callId: string;
  /** First line of the message. */
  readonly startLine: string;
  /** The whole message; secrets in it are the reader's to redact. */
  readonly bytes: Uint8Array;
}

export interface UserAgentHandlers {
  onInvite(invite: IncomingInvite): void;
  /** Any other request outside a dialog. OPTIONS without a handler's answer gets 200 with our capabilities. */
  onRequest?(request: SipRequest, flow: SipFlow): DialogAnswer | undefined;
  onTrace?(event: TraceEvent): void;
}

/**
 * The SIP user agent of a node: transactions, dialogs and digest over `net`'s transports.
 * Two user agents (calls, recorder) may share one by telling INVITEs apart in `onInvite`.
 */
export interface UserAgent {
  attach(handlers: UserAgentHandlers): void;
  invite(options: InviteOptions, handlers: OutgoingInviteHandlers): OutgoingInvite;
  /** A request outside a dialog (OPTIONS, REGISTER): resolves with the final answer, 408 or 503 of our own making included. */
  request(
    method: string,
    options: Omit<InviteOptions, "body" | "timeoutMs"> & { readonly body?: SipBody },
  ): Promise<SipResponse>;
  readonly liveDialogs: number;
  /** Ends every dialog with BYE and cancels what rings; resolves when answered or after `limitMs`. */
  stop(limitMs: number): Promise<void>;
}
