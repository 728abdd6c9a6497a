import {
  Dialog,
  DigestClient,
  dialogKeyOf,
  RFC3261_TIMERS,
  type SipRequest,
  type SipResponse,
} from "@callfork/protocol/sip";
import type { SipFlow } from "../net/index.ts";
import { createAddressDns, createSipLocator } from "../net/index.ts";
import { receivedBody } from "./body.ts";
import { ALLOW, REGISTERED_METHODS } from "./capabilities.ts";
import { type Core, retryAfterSeconds, token } from "./core.ts";
import { capabilityLines } from "./dialog-server.ts";
import { DialogTable } from "./dialog-table.ts";
import { localResponse, statusOf } from "./failure.ts";
import { NODE_HASHES } from "./hashes.ts";
import { createInitialRequest } from "./initial-request.ts";
import { InviteClient } from "./invite-client.ts";
import { InviteDialog } from "./invite-dialog.ts";
import { InviteServer } from "./invite-server.ts";
import type { SipUserAgent, UserAgentOptions } from "./options.ts";
import { isAddressText, OutgoingRequest } from "./outgoing-request.ts";
import { screen, screenKeys } from "./screen.ts";
import type { ServerTransaction } from "./server-transaction.ts";
import { SHORTEST_INTERVAL } from "./session-timer.ts";
import { Strangers } from "./strangers.ts";
import { createTrace } from "./trace.ts";
import { TransactionLayer } from "./transaction-layer.ts";
import type {
  InviteOptions,
  OutgoingInvite,
  OutgoingInviteHandlers,
  UserAgent,
  UserAgentHandlers,
} from "./types.ts";

/** Builds the user agent and attaches it to the transports; it answers 503 until `attach` gave it handlers. */
export function createUserAgent(options: UserAgentOptions): SipUserAgent {
  return new Agent(options);
}

class Agent implements SipUserAgent {
  readonly #core: Core;
  readonly #maximumDialogs: number;
  readonly #refusesKeysInClear: boolean;
  readonly #incoming = new Map<ServerTransaction, InviteServer>();
  readonly #outgoing = new Set<InviteClient>();
  readonly #strangers: Strangers | undefined;
  #handlers: UserAgentHandlers | undefined;
  #isStopping = false;
  #onNoneOutgoing: (() => void) | undefined;

  constructor(options: UserAgentOptions) {
    const { transports, resolver, clock, random, log, userAgentName } = options;
    const timers = options.timers ?? RFC3261_TIMERS;
    this.#maximumDialogs = options.maximumDialogs ?? 10_000;
    this.#refusesKeysInClear = options.refusesKeysInClear ?? false;
    this.#strangers = options.strangers && new Strangers(options.strangers, clock);
    const transactions = new TransactionLayer({
      transports,
      clock,
      random,
      log,
      timers,
      // What we are is nobody's business who has no business here.
      serverNameFor: (flow) => (this.#strangers?.isKnown(flow) === false ? "" : userAgentName),
      maximumTransactions: options.maximumTransactions ?? 20_000,
      maximumRequestsPerSecond: options.maximumRequestsPerSecond ?? 500,
      isOverloaded: options.isOverloaded ?? (() => false),
      hears: (request, flow) => this.#hears(request, flow),
      onAnswered: (request, flow, status) => this.#strangers?.answered(request, flow, status),
      onTurnedAway: (why) => options.onTurnedAway?.(why),
      trace: createTrace(clock, transports, () => this.#traceListener()),
      onRequest: (transaction) => this.#receive(transaction),
      onAck: (ack) => this.#receiveAck(ack),
    });
    this.#core = {
      transports,
      locator: options.locator ?? createSipLocator({ dns: createAddressDns(resolver), clock, random }),
      clock,
      random,
      log,
      userAgentName,
      timers,
      transactions,
      hashes: options.hashes ?? NODE_HASHES,
      sessionIntervalSeconds:
        options.sessionIntervalSeconds && Math.max(options.sessionIntervalSeconds, SHORTEST_INTERVAL),
      dialogs: new DialogTable(),
    };
  }

  get liveDialogs(): number {
    return this.#core.dialogs.size;
  }

  get liveTransactions(): number {
    return this.#core.transactions.live;
  }

  attach(handlers: UserAgentHandlers): void {
    this.#handlers = handlers;
  }

  invite(options: InviteOptions, handlers: OutgoingInviteHandlers): OutgoingInvite {
    const client: InviteClient = new InviteClient(this.#core, options, handlers, () => {
      this.#outgoing.delete(client);
      if (this.#outgoing.size === 0) this.#onNoneOutgoing?.();
    });
    this.#outgoing.add(client);
    // Not before the caller holds the handle: a handler may want it.
    queueMicrotask(() => client.start());
    return client;
  }

  request(method: string, options: Parameters<UserAgent["request"]>[1]): Promise<SipResponse> {
    if (!isAddressText(options.from) || !isAddressText(options.to)) {
      return Promise.resolve(localResponse(400, "From or To is no address"));
    }
    const { hashes, random, userAgentName } = this.#core;
    const callId = token(random, 16);
    const fromTag = token(random);
    let sequence = 0;
    const create = (): ReturnType<typeof createInitialRequest> => {
      sequence += 1;
      return createInitialRequest({ ...options, method, callId, fromTag, sequence, userAgentName });
    };
    const contact = { user: options.contactUser, parameters: options.contactParameters };
    const digest = options.credentials && new DigestClient(options.credentials, hashes, random);
    const { destination, tls, edge } = options;
    return new Promise((resolve) => {
      new OutgoingRequest(
        this.#core,
        { create, destination, tls, edge, contact, digest },
        {
          onResponse: (response) => response.status >= 200 && resolve(response),
          onFailure: ({ cause, message }) => resolve(localResponse(statusOf(cause), message)),
        },
      ).start();
    });
  }

  async stop(limitMs: number): Promise<void> {
    this.#isStopping = true;
    const { clock, random, transactions, dialogs } = this.#core;
    for (const client of this.#outgoing) client.cancel();
    for (const invite of this.#incoming.values()) {
      invite.reject(503, { headers: [["Retry-After", retryAfterSeconds(random, 5, 30)]] });
    }
    const byes = dialogs
      .owners()
      .filter((owner) => owner instanceof InviteDialog)
      .map((dialog) => dialog.terminate("stopped"));
    const canceled = new Promise<void>((resolve) => {
      this.#onNoneOutgoing = resolve;
      if (this.#outgoing.size === 0) resolve();
    });
    const settled = Promise.all([...byes, canceled]);
    let timer: ReturnType<typeof clock.setTimer> | undefined;
    const limit = new Promise<void>((resolve) => {
      timer = clock.setTimer(limitMs, resolve);
    });
    await Promise.race([settled, limit]);
    timer?.cancel();
    for (const owner of dialogs.owners()) if (owner instanceof InviteDialog) owner.unregister();
    transactions.disposeAll();
  }

  /** What belongs to a dialog of ours is heard whoever brings it: routes may lead over addresses nobody told us of. */
  #hears(request: SipRequest, flow: SipFlow): boolean {
    if (this.#strangers === undefined || request.method === "CANCEL") return true;
    const key = dialogKeyOf(request);
    if (key !== undefined && this.#core.dialogs.get(key) !== undefined) return true;
    return this.#strangers.hears(request, flow);
  }

  #receive(transaction: ServerTransaction): void {
    const { request } = transaction;
    if (request.method === "CANCEL") {
      this.#receiveCancel(transaction);
      return;
    }
    const refusal =
      screen(request) ?? (this.#refusesKeysInClear ? screenKeys(request, transaction.flow) : undefined);
    if (refusal !== undefined) {
      transaction.respond(refusal.status, refusal);
      return;
    }
    const key = dialogKeyOf(request);
    if (key === undefined) {
      this.#receiveOutside(transaction);
      return;
    }
    const owner = this.#core.dialogs.get(key);
    if (owner === undefined) transaction.respond(481);
    else owner.receive(transaction);
  }

  #receiveAck(ack: SipRequest): void {
    const key = dialogKeyOf(ack);
    if (key !== undefined) this.#core.dialogs.get(key)?.receiveAck(ack);
  }

  /** §9.2: 200 whenever the INVITE is known; it changes nothing after a final answer. */
  #receiveCancel(transaction: ServerTransaction): void {
    const canceled = this.#core.transactions.findCanceled(transaction.request);
    if (canceled === undefined) {
      transaction.respond(481);
      return;
    }
    transaction.respond(200, { toTag: canceled.toTag });
    if (canceled.isAnswered) return;
    const invite = this.#incoming.get(canceled);
    if (invite !== undefined) {
      invite.cancel();
      return;
    }
    const key = dialogKeyOf(canceled.request);
    const owner = key === undefined ? undefined : this.#core.dialogs.get(key);
    if (owner instanceof InviteDialog) owner.cancelReinvite(canceled);
  }

  #receiveOutside(transaction: ServerTransaction): void {
    const { request } = transaction;
    if (this.#isStopping || this.#handlers === undefined) {
      transaction.respond(503, { headers: [["Retry-After", retryAfterSeconds(this.#core.random, 5, 30)]] });
    } else if (request.method === "INVITE") this.#receiveInvite(transaction, this.#handlers);
    else this.#receiveOther(transaction, this.#handlers);
  }

  #receiveInvite(transaction: ServerTransaction, handlers: UserAgentHandlers): void {
    const { random, log, dialogs } = this.#core;
    if (dialogs.size >= this.#maximumDialogs) {
      log.warn({ callId: transaction.callId }, "too many dialogs");
      transaction.respond(503, { headers: [["Retry-After", retryAfterSeconds(random, 5, 30)]] });
      return;
    }
    const body = receivedBody(transaction.request);
    const dialog = Dialog.asServer(transaction.request, transaction.toTag);
    if ("problem" in body || !dialog.ok) {
      transaction.respond(400);
      return;
    }
    const invite = new InviteServer(this.#core, transaction, dialog.value, body, () =>
      this.#incoming.delete(transaction),
    );
    this.#incoming.set(transaction, invite);
    try {
      handlers.onInvite(invite);
    } catch (error) {
      log.error({ callId: transaction.callId, err: error }, "onInvite threw");
      invite.reject(500);
    }
  }

  #receiveOther(transaction: ServerTransaction, handlers: UserAgentHandlers): void {
    const { request, flow } = transaction;
    if (this.#strangers?.isKnown(flow) === false) {
      transaction.respond(403); // before anything about us is said
      return;
    }
    const answer = handlers.onRequest?.(request, flow);
    if (answer !== undefined) transaction.respond(answer.status, answer);
    else if (request.method === "OPTIONS") {
      transaction.respond(200, { headers: [...capabilityLines(), ["Accept-Encoding", "identity"]] });
    } else if (request.method === "REFER") transaction.respond(603);
    else {
      const status = REGISTERED_METHODS.has(request.method) ? 405 : 501;
      transaction.respond(status, { headers: [["Allow", ALLOW]] });
    }
  }

  #traceListener(): UserAgentHandlers["onTrace"] {
    return this.#handlers?.onTrace?.bind(this.#handlers);
  }
}
