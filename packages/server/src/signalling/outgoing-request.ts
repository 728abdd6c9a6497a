import {
  type DigestClient,
  formatSipMessage,
  formatSipUri,
  formatVia,
  MAGIC_COOKIE,
  parseNameAddr,
  parseRetryAfter,
  type RoutedRequest,
  type SipRequest,
  type SipResponse,
} from "@callfork/protocol/sip";
import {
  type SipDestination,
  type SipTlsContext,
  type SipTransportName,
  TransportError,
  type TransportErrorReason,
} from "../net/index.ts";
import type { ClientTransaction } from "./client-transaction.ts";
import { type Core, token } from "./core.ts";
import { addressOf, availableFrom, findTargets, type Target, type Targets } from "./targets.ts";
import { callIdOf } from "./transaction-layer.ts";

/** RFC 3261 §18.1.1: larger requests need a transport with congestion control when the path MTU is unknown. */
const LARGEST_DATAGRAM_REQUEST = 1_300;

/** A server that asks for more is asked again all the same. */
const LONGEST_BLOCK_MS = 300_000;

/** Challenges answered for one request: a new realm, a second one of another proxy, a nonce grown stale. */
const MAX_CHALLENGES = 3;

export interface ContactOptions {
  readonly user?: string | undefined;
  /** Behind the URI, with their leading semicolons. */
  readonly parameters?: string | undefined;
}

export interface OutgoingRequestOptions {
  /** Makes the request, without Via and Contact; once more, with the next CSeq, after each challenge. */
  create(): RoutedRequest;
  readonly destination?: SipDestination | undefined;
  /** See `TargetOptions`. */
  readonly tls?: Omit<SipTlsContext, "serverName"> | undefined;
  /** See `TargetOptions`. */
  readonly path?: Target | undefined;
  /** See `TargetOptions`. */
  readonly edge?: string | undefined;
  /** Given for requests that carry a Contact. */
  readonly contact?: ContactOptions | undefined;
  readonly digest?: DigestClient | undefined;
  /** Asked before the request goes to another address or is repeated with credentials; a canceled one does not. */
  isWanted?(): boolean;
}

export interface RequestFailure {
  readonly cause: "timeout" | "transport" | "unresolvable" | "unsendable";
  readonly message: string;
  /** What the transport said of the last address. */
  readonly transportReason?: TransportErrorReason;
}

export interface OutgoingRequestHandlers {
  /** Every response but the challenges that were answered; several finals are possible for INVITE. */
  onResponse(response: SipResponse): void;
  /** No final answer will come. Called at most once, and not after a final one. */
  onFailure(failure: RequestFailure): void;
}

/**
 * One request on its way: finds the next hop's addresses, picks the transport by size, goes on to the next address
 * after a failed transport, a time-out or a 503 (RFC 3263 §4.3), and answers challenges.
 */
export class OutgoingRequest {
  readonly #core: Core;
  readonly #options: OutgoingRequestOptions;
  readonly #handlers: OutgoingRequestHandlers;
  #targets: readonly Target[] = [];
  #targetIndex = 0;
  /** TCP, chosen for size alone, was refused by the target at hand: it gets its datagram (§18.1.1). */
  #mustUseUdp = false;
  #challenges = 0;
  #attempts = 0;
  #hasFinal = false;
  #routed: RoutedRequest | undefined;
  #transaction: ClientTransaction | undefined;
  #sentTo: Target | undefined;
  #isOver = false;

  constructor(core: Core, options: OutgoingRequestOptions, handlers: OutgoingRequestHandlers) {
    this.#core = core;
    this.#options = options;
    this.#handlers = handlers;
  }

  /** The request as it went out last, Via and all. */
  get sent(): SipRequest | undefined {
    return this.#transaction?.request;
  }

  /** Where it went. */
  get sentTo(): Target | undefined {
    return this.#sentTo;
  }

  start(): void {
    this.#routed = this.#create();
    const { locator, transports } = this.#core;
    const found = findTargets({
      uri: this.#routed.nextHop,
      destination: this.#options.destination,
      tls: this.#options.tls,
      path: this.#options.path,
      edge: this.#options.edge,
      locator,
      transports,
    });
    if (found instanceof Promise) void found.then((targets) => this.#begin(targets));
    else this.#begin(found);
  }

  /** Nobody waits for the answer any more; handlers stay silent, and a pending transaction is dropped. */
  abandon(): void {
    this.#isOver = true;
    this.#transaction?.abandon();
  }

  #create(): RoutedRequest {
    const routed = this.#options.create();
    const { request } = routed;
    for (const [name, value] of this.#options.digest?.authorize(request.method, request.uri) ?? []) {
      request.headers.append(name, value);
    }
    return routed;
  }

  #begin(found: Targets): void {
    if (this.#isOver) return;
    if (!found.ok) {
      this.#fail("unresolvable", found.message, found.reason);
      return;
    }
    this.#targets = found.targets;
    try {
      this.#attempt();
    } catch (error) {
      // A header name or method that is no token: the caller's mistake, told where it asks for failures.
      this.#fail("unsendable", error instanceof Error ? error.message : String(error));
    }
  }

  #attempt(): void {
    const routed = this.#routed;
    const target = this.#targets[this.#targetIndex];
    if (routed === undefined || target === undefined || this.#isOver) return;
    const chosen = chooseBySize(this.#core, routed.request, target, this.#options.contact, this.#mustUseUdp);
    if (chosen === undefined) {
      this.#next(target, `no way to send to ${addressOf(target)}`);
      return;
    }
    this.#sentTo = chosen.target;
    this.#attempts += 1;
    const attempt = this.#attempts;
    const isCurrent = (): boolean => attempt === this.#attempts && !this.#hasFinal;
    const transaction = this.#core.transactions.startClient(chosen.request, chosen.target, {
      onResponse: (response) => this.#respond(response, target),
      onTimeout: () => isCurrent() && this.#timedOut(target),
      onTransportError: (reason) => isCurrent() && this.#transportFailed(chosen.target, target, reason),
    });
    if (transaction === undefined) this.#fail("transport", "too many transactions");
    else this.#transaction = transaction;
  }

  #timedOut(target: Target): void {
    this.#block(target);
    const isLast = this.#targetIndex + 1 >= this.#targets.length;
    const message = `no answer from ${addressOf(target)}`;
    if (isLast || this.#options.isWanted?.() === false) this.#fail("timeout", message);
    else {
      this.#mustUseUdp = false;
      this.#targetIndex += 1;
      this.#attempt();
    }
  }

  #transportFailed(failed: Target, target: Target, reason: unknown): void {
    // A datagram may still get through where the TCP that its size called for does not.
    if (failed.transport === target.transport) this.#block(target);
    const message = reason instanceof Error ? reason.message : "the transport failed";
    this.#next(failed, message, reason instanceof TransportError ? reason.reason : undefined);
  }

  /** The transport failed: UDP where TCP was only our choice, then the next address. */
  #next(failed: Target, message: string, reason?: TransportErrorReason): void {
    if (this.#isOver) return;
    if (this.#options.isWanted?.() === false) {
      this.#fail("transport", message, reason);
      return;
    }
    const target = this.#targets[this.#targetIndex];
    const wasSwitched = failed.transport === "tcp" && target?.transport === "udp";
    if (wasSwitched && !this.#mustUseUdp) this.#mustUseUdp = true;
    else {
      this.#mustUseUdp = false;
      this.#targetIndex += 1;
    }
    if (this.#targetIndex < this.#targets.length) this.#attempt();
    else this.#fail("transport", message, reason);
  }

  /** §4.3: it is not tried before others for as long as Retry-After says, or a while. */
  #block(target: Target, retryAfterSeconds?: number): void {
    if (!("address" in target)) return;
    const forMs = retryAfterSeconds && Math.min(retryAfterSeconds * 1000, LONGEST_BLOCK_MS);
    this.#core.locator.failed(target, forMs ? { forMs } : {});
  }

  /** §4.3: a 503 is like a failed transport. The last one is told to the user. */
  #goesOn({ status, headers }: SipResponse, target: Target): boolean {
    if (status !== 503) {
      if ("address" in target) this.#core.locator.succeeded(target);
      return false;
    }
    const retryAfter = parseRetryAfter(headers.get("Retry-After") ?? "");
    this.#block(target, retryAfter.ok ? retryAfter.value.seconds : undefined);
    const isCurrent = this.#targets[this.#targetIndex] === target && !this.#hasFinal;
    const hasMore = this.#targetIndex + 1 < this.#targets.length;
    if (!isCurrent || !hasMore || this.#options.isWanted?.() === false) return false;
    this.#mustUseUdp = false;
    this.#targetIndex += 1;
    this.#attempt();
    return true;
  }

  #respond(response: SipResponse, target: Target): void {
    if (this.#isOver || this.#goesOn(response, target)) return;
    const isChallenge = response.status === 401 || response.status === 407;
    const { digest } = this.#options;
    const mayRetry = this.#challenges < MAX_CHALLENGES && this.#options.isWanted?.() !== false;
    if (isChallenge && digest !== undefined && mayRetry) {
      if (digest.takeChallenge(response, this.#challenges === 0)) {
        this.#challenges += 1;
        this.#routed = this.#create();
        this.#attempt();
        return;
      }
    }
    if (response.status >= 200) this.#hasFinal = true;
    this.#handlers.onResponse(response);
  }

  #fail(cause: RequestFailure["cause"], message: string, transportReason?: TransportErrorReason): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const callId = this.#routed === undefined ? "" : callIdOf(this.#routed.request);
    this.#core.log.info({ callId, cause }, `${this.#routed?.request.method ?? "request"} failed: ${message}`);
    this.#handlers.onFailure({ cause, message, ...(transportReason && { transportReason }) });
  }
}

/** The request made ready for its target, over TCP when it is too large for a datagram. */
export function chooseBySize(
  core: Core,
  request: SipRequest,
  target: Target,
  contact: ContactOptions | undefined,
  mustUseUdp: boolean,
): { readonly request: SipRequest; readonly target: Target } | undefined {
  const ready = address(core, request, target.transport, target, contact);
  const { edge } = target;
  const hasTcp = availableFrom(core.transports, edge).includes("tcp");
  const mayGrow = target.transport === "udp" && !mustUseUdp && hasTcp;
  if (!mayGrow || ready === undefined) return ready && { request: ready, target };
  if (formatSipMessage(ready).length <= LARGEST_DATAGRAM_REQUEST) return { request: ready, target };
  const port = "port" in target ? target.port : target.remotePort;
  const overTcp: SipDestination = { transport: "tcp", address: addressOf(target), port, edge };
  const switched = address(core, request, "tcp", overTcp, contact);
  return switched && { request: switched, target: overTcp };
}

/** Puts Via, with a branch of its own, and Contact on a copy of the request; undefined without such a transport. */
function address(
  core: Core,
  request: SipRequest,
  transport: SipTransportName,
  target: Target,
  contact: ContactOptions | undefined,
): SipRequest | undefined {
  let sentBy: { readonly host: string; readonly port: number };
  try {
    sentBy = core.transports.sentBy(transport, addressOf(target), target.edge);
  } catch {
    return undefined;
  }
  const branch = `${MAGIC_COOKIE}${token(core.random)}`;
  const headers = request.headers.clone();
  const params = new Map([
    ["branch", branch],
    ["rport", null],
  ]);
  headers.prepend("Via", formatVia({ transport: transport.toUpperCase(), ...sentBy, params }));
  if (contact !== undefined && !headers.has("Contact")) {
    headers.append("Contact", formatContact(sentBy, transport, contact, schemeOf(request)));
  }
  return { ...request, headers };
}

/** Our Contact: where in-dialog requests find us, over the transport that brought this message. */
export function formatContact(
  sentBy: { readonly host: string; readonly port: number },
  transport: SipTransportName,
  { user, parameters = "" }: ContactOptions,
  scheme: "sip" | "sips",
): string {
  const uri = formatSipUri({
    scheme,
    ...(user ? { user } : {}),
    ...sentBy,
    params: new Map(CONTACT_PARAMETERS[transport]),
  });
  return `<${uri}>${parameters}`;
}

/** RFC 7118 §5.2 knows `ws` alone: what secures it is the scheme, or the connection that the peer came by. */
const CONTACT_PARAMETERS: Readonly<Record<SipTransportName, readonly (readonly [string, string])[]>> = {
  udp: [],
  tcp: [["transport", "tcp"]],
  tls: [["transport", "tls"]],
  ws: [["transport", "ws"]],
  wss: [["transport", "ws"]],
};

/**
 * RFC 3261 §8.1.1.8, §12.1.1: a request names a SIPS Contact, and so does its answer, when its Request-URI is one, or
 * its first Route, or as received its first Record-Route, or its Contact where it has no Record-Route.
 */
export function schemeOf({ uri, headers }: SipRequest): "sip" | "sips" {
  if (/^sips:/i.test(uri)) return "sips";
  const [first] = [...headers.list("Record-Route"), ...headers.list("Contact"), ...headers.list("Route")];
  if (first === undefined || !/sips:/i.test(first)) return "sip";
  const address = parseNameAddr(first);
  return address.ok && /^sips:/i.test(address.value.uri) ? "sips" : "sip";
}

/** An address as From or To wants it: in brackets, so that parameters added behind are the header's. */
export function bracketed(address: string): string {
  return address.includes("<") ? address : `<${address}>`;
}

/** Whether `address` can stand in From or To. */
export function isAddressText(address: string): boolean {
  return parseNameAddr(bracketed(address)).ok;
}
