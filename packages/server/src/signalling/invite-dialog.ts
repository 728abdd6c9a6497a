import {
  type Dialog,
  type DigestClient,
  parseCSeq,
  type RoutedRequest,
  type SipMessage,
  type SipRequest,
  type SipResponse,
} from "@callfork/protocol/sip";
import { AnswerRepeater } from "./answer-repeater.ts";
import { putBody, putHeaders, receivedParts, sessionDescriptionIn } from "./body.ts";
import type { Core } from "./core.ts";
import { DialogServer } from "./dialog-server.ts";
import type { DialogOwner } from "./dialog-table.ts";
import { localResponse, statusOf } from "./failure.ts";
import { putCapabilities } from "./initial-request.ts";
import { sendWithoutGlare } from "./modification.ts";
import { OfferGate } from "./offer-gate.ts";
import { OutgoingAck } from "./outgoing-ack.ts";
import { type ContactOptions, OutgoingRequest, type OutgoingRequestOptions } from "./outgoing-request.ts";
import type { ReliableResponder } from "./reliable-responder.ts";
import type { ServerTransaction } from "./server-transaction.ts";
import { SessionTimer } from "./session-timer.ts";
import type { Target } from "./targets.ts";
import type {
  DialogEnd,
  DialogHandlers,
  DialogRequestOptions,
  ReinviteOptions,
  SipBody,
  SipDialog,
} from "./types.ts";

export interface InviteDialogOptions {
  readonly dialog: Dialog;
  /** The peer's message that made the dialog: its INVITE, or its 2xx. */
  readonly message: SipMessage;
  /** The way its INVITE took. */
  readonly path: Target | undefined;
  /** As caller: with whose certificate; see `TargetOptions`. */
  readonly tls?: OutgoingRequestOptions["tls"];
  readonly contact: ContactOptions;
  readonly digest?: DigestClient | undefined;
  /** As callee: what knows the provisionals of the INVITE; a PRACK may come after the 200. */
  readonly reliable?: ReliableResponder | undefined;
}

/**
 * A confirmed INVITE dialog: sends its requests, answers those of the peer, and ends exactly once.
 *
 * It stays in the dialog table until our BYE is answered, so that a BYE which crosses ours still gets its 200.
 */
export class InviteDialog implements SipDialog, DialogOwner {
  readonly callId: string;
  readonly localTag: string;
  readonly remoteTag: string;
  readonly remoteUri: string;
  readonly remoteAllow: ReadonlySet<string>;
  readonly core: Core;
  readonly dialog: Dialog;
  readonly gate = new OfferGate();
  readonly timer: SessionTimer;
  readonly contact: ContactOptions;
  readonly reliable: ReliableResponder | undefined;
  readonly #path: Target | undefined;
  readonly #tls: OutgoingRequestOptions["tls"];
  readonly #digest: DigestClient | undefined;
  readonly #server: DialogServer;
  /** 2xx of ours that wait for their ACK, by CSeq number. */
  readonly #repeaters = new Map<number, AnswerRepeater>();
  #handlers: DialogHandlers | undefined;
  #description: Uint8Array | undefined;
  #end: DialogEnd | undefined;
  #endReported = false;
  #bye: Promise<void> | undefined;
  /** As UAC: our ACK went out. BYE never goes before it. */
  #isAcknowledged: boolean;
  #isDiscarded = false;
  readonly #onAcknowledged: (() => void)[] = [];
  readonly #onEnd = new Set<() => void>();

  constructor(core: Core, options: InviteDialogOptions) {
    const { dialog, message } = options;
    this.core = core;
    this.dialog = dialog;
    this.contact = options.contact;
    this.reliable = options.reliable;
    this.#path = options.path;
    this.#tls = options.tls;
    this.#digest = options.digest;
    this.callId = dialog.callId;
    this.localTag = dialog.localTag;
    this.remoteTag = dialog.remoteTag;
    this.remoteUri = dialog.remoteUri;
    this.remoteAllow = new Set(message.headers.list("Allow"));
    this.#isAcknowledged = false;
    this.#server = new DialogServer(this);
    const duties = { refresh: () => void this.#refresh(), expire: () => void this.terminate("expired") };
    this.timer = new SessionTimer(core.clock, duties, core.sessionIntervalSeconds);
  }

  get handlers(): DialogHandlers | undefined {
    return this.#handlers;
  }

  get isEnded(): boolean {
    return this.#end !== undefined;
  }

  register(): void {
    this.core.dialogs.set(this.dialog.key, this);
  }

  attach(handlers: DialogHandlers): void {
    this.#handlers = handlers;
    this.#reportEnd();
  }

  async reinvite(options: ReinviteOptions): Promise<SipResponse> {
    return sendWithoutGlare(this, "INVITE", options);
  }

  async update(options: DialogRequestOptions): Promise<SipResponse> {
    return sendWithoutGlare(this, "UPDATE", options);
  }

  async request(method: string, options: DialogRequestOptions): Promise<SipResponse> {
    if (method === "INVITE") return this.reinvite(options);
    if (method === "UPDATE") return this.update(options);
    if (method === "BYE") return this.bye(options).then(() => localResponse(200));
    return this.send(method, options);
  }

  bye(options: DialogRequestOptions = {}): Promise<void> {
    return this.terminate("bye", options);
  }

  /** Ends the dialog with BYE, for whatever reason of ours. */
  terminate(cause: DialogEnd["cause"], options: DialogRequestOptions = {}): Promise<void> {
    if (this.#end === undefined) {
      this.finish({ by: "local", cause });
      this.#bye = this.#sendBye(options);
    }
    return this.#bye ?? Promise.resolve();
  }

  /** A request without glare rules, sent at once; resolves with the final answer or one of our own making. */
  send(method: string, options: DialogRequestOptions): Promise<SipResponse> {
    if (this.isEnded && method !== "BYE") return Promise.resolve(localResponse(481));
    return new Promise((resolve) => {
      const done = (response: SipResponse): void => {
        resolve(response);
        if (!OF_ANOTHER_USAGE.has(method)) this.#checkFatal(response, response.headers.has("Via"));
      };
      this.outgoing(method, options, {
        onResponse: (response) => response.status >= 200 && done(response),
        onFailure: ({ cause, message }) => done(localResponse(statusOf(cause), message)),
      }).start();
    });
  }

  /** A request of this dialog, ready to start: route set, target, CSeq, credentials, and Contact where one belongs. */
  outgoing(
    method: string,
    { body, headers }: DialogRequestOptions,
    handlers: ConstructorParameters<typeof OutgoingRequest>[2],
  ): OutgoingRequest {
    const create = (): RoutedRequest => {
      const routed = this.dialog.createRequest(method);
      const takesReliable = method !== "INVITE" || sessionDescriptionIn(body) !== undefined;
      putCapabilities(routed.request.headers, method, this.core.userAgentName, takesReliable);
      const timer = method === "INVITE" || method === "UPDATE" ? this.timer.requestLines() : [];
      putHeaders(routed.request.headers, [...timer, ...(headers ?? [])]);
      routed.request.body = putBody(routed.request.headers, body);
      return routed;
    };
    const contact = REFRESHING.has(method) ? this.contact : undefined;
    return new OutgoingRequest(
      this.core,
      { create, contact, path: this.#path, tls: this.#tls, digest: this.#digest },
      handlers,
    );
  }

  /** 481 says that the peer has lost the dialog, 408 that it has gone (RFC 3261 §12.2.1.2); so does a dead transport. */
  #checkFatal(response: SipResponse, isFromPeer: boolean): void {
    const { status } = response;
    if (status !== 481 && status !== 408 && isFromPeer) return;
    if (this.isEnded) return;
    this.finish({ by: status === 481 ? "remote" : "local", cause: "request-failed" });
    if (status === 481) this.unregister();
    else this.#bye = this.#sendBye({});
  }

  /** The same check for re-INVITE and UPDATE, whose answers come by another way. */
  checkFatal(response: SipResponse): void {
    this.#checkFatal(response, response.headers.has("Via"));
  }

  /** Sends the ACK to a 2xx of the peer; the handle sends it again. */
  acknowledge(invite: SipRequest, body: SipBody | undefined): OutgoingAck {
    const routed = this.dialog.createAck(invite);
    putCapabilities(routed.request.headers, "ACK", this.core.userAgentName);
    routed.request.body = putBody(routed.request.headers, body);
    const ack = new OutgoingAck(this.core, routed, { path: this.#path, tls: this.#tls });
    ack.send();
    this.#allowBye();
    return ack;
  }

  /** A 2xx to a re-INVITE or UPDATE of ours, which carried `body`: target and session timer are new. */
  modified(response: SipResponse, body: SipBody | undefined): void {
    this.dialog.refreshTarget(response);
    if (!this.isEnded) this.timer.takeResponse(response);
    this.describe(body);
  }

  /** Keeps the session description we sent last: a refresh by re-INVITE repeats it. */
  describe(body: SipBody | undefined): void {
    this.#description = sessionDescriptionIn(body) ?? this.#description;
  }

  /**
   * RFC 4028 §7.4: a refresh changes nothing, so UPDATE without a body, or for peers without UPDATE a re-INVITE with
   * the session description as it stands.
   */
  async #refresh(): Promise<void> {
    const send = (): Promise<SipResponse> => {
      if (this.remoteAllow.has("UPDATE") || this.#description === undefined) return this.update({});
      return this.reinvite({ body: { contentType: "application/sdp", bytes: this.#description } });
    };
    const response = await send();
    if (response.status === 422 && this.timer.takeRefusal(response)) await send();
  }

  /** Repeats our 2xx until its ACK comes; without one the dialog ends with BYE. */
  awaitAck(transaction: ServerTransaction, response: SipResponse): void {
    const sequence = sequenceOf(transaction.request);
    this.gate.hold(`unacknowledged ${sequence}`);
    const repeater = new AnswerRepeater(this.core, transaction, response, () => {
      this.core.log.warn({ callId: this.callId }, "no ACK came to our 2xx");
      this.#forgetRepeater(sequence);
      this.#allowBye();
      void this.terminate("no-ack");
    });
    this.#repeaters.set(sequence, repeater);
  }

  receive(transaction: ServerTransaction): void {
    this.#server.receive(transaction);
  }

  /** A CANCEL for a re-INVITE of the peer came; its 200 has been sent. */
  cancelReinvite(transaction: ServerTransaction): void {
    this.#server.cancel(transaction);
  }

  receiveAck(ack: SipRequest): void {
    const sequence = sequenceOf(ack);
    if (!this.#repeaters.has(sequence)) return; // a second ACK, to a 2xx that had been repeated
    this.#forgetRepeater(sequence);
    this.#allowBye();
    if (!this.isEnded) this.#handlers?.onAcknowledged?.(ack, receivedParts(ack));
  }

  /** The dialog is over; what is under way is called off. Only the first call counts. */
  finish(end: DialogEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.gate.close();
    this.timer.stop();
    this.#server.dialogEnded();
    for (const run of this.#onEnd) run();
    this.#onEnd.clear();
    queueMicrotask(() => this.#reportEnd());
  }

  /** Ends a dialog whose 2xx never went out: there is nothing to say BYE to. */
  discard(end: DialogEnd): void {
    this.#isDiscarded = true;
    this.finish(end);
    this.#allowBye();
  }

  /** Runs when the dialog ends; the returned function calls that off. */
  whenEnded(run: () => void): () => void {
    if (this.isEnded) run();
    else this.#onEnd.add(run);
    return () => void this.#onEnd.delete(run);
  }

  unregister(): void {
    for (const sequence of [...this.#repeaters.keys()]) this.#forgetRepeater(sequence);
    this.core.dialogs.delete(this.dialog.key, this);
  }

  #reportEnd(): void {
    if (this.#end === undefined || this.#endReported || this.#handlers === undefined) return;
    this.#endReported = true;
    try {
      this.#handlers.onEnded(this.#end);
    } catch (error) {
      this.core.log.error({ callId: this.callId, err: error }, "onEnded threw");
    }
  }

  /**
   * "The callee's UA MUST NOT send a BYE on a confirmed dialog until it has received an ACK for its 2xx response or
   * until the server transaction times out" (§15); as caller, ours goes after our ACK.
   */
  async #sendBye(options: DialogRequestOptions): Promise<void> {
    if (!this.#isAcknowledged) await new Promise<void>((resolve) => this.#onAcknowledged.push(resolve));
    if (!this.#isDiscarded) await this.send("BYE", options);
    this.unregister();
  }

  #allowBye(): void {
    this.#isAcknowledged = true;
    for (const run of this.#onAcknowledged.splice(0)) run();
  }

  #forgetRepeater(sequence: number): void {
    this.#repeaters.get(sequence)?.stop();
    this.#repeaters.delete(sequence);
    this.gate.leave(`unacknowledged ${sequence}`);
  }
}

/** Requests that carry a Contact: target refreshes, and those that make dialogs (§12.2, RFC 3515, RFC 6665). */
const REFRESHING: ReadonlySet<string> = new Set(["INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY", "REFER"]);

/** A 481 to these ends a subscription at most (RFC 5057 §5.1), and BYE has its own end. */
const OF_ANOTHER_USAGE: ReadonlySet<string> = new Set(["BYE", "NOTIFY", "SUBSCRIBE", "REFER"]);

function sequenceOf(request: SipRequest): number {
  const cseq = parseCSeq(request.headers.get("CSeq") ?? "");
  return cseq.ok ? cseq.value.sequence : 0;
}
