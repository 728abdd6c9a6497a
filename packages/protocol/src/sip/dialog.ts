import { err, ok, type Result } from "../text/index.ts";
import { tagOf } from "./create-response.ts";
import { formatCSeq, parseCSeq } from "./cseq.ts";
import { SipHeaders } from "./headers.ts";
import { NO_BODY, type SipMessage, type SipRequest, type SipResponse } from "./message.ts";
import { formatNameAddr, parseContact, parseNameAddr } from "./name-addr.ts";
import { formatSipUri, parseSipUri } from "./uri.ts";

/** Why no dialog came of an INVITE or its answer. */
export interface DialogError {
  readonly message: string;
}

/** A request of the dialog and the URI of the hop it goes to first (RFC 3261 §8.1.2, §12.2.1.1). */
export interface RoutedRequest {
  readonly request: SipRequest;
  readonly nextHop: string;
}

/** Names a dialog at one side: Call-ID, local tag, remote tag (RFC 3261 §12). */
export function dialogKey(callId: string, localTag: string, remoteTag: string): string {
  return `${callId} ${localTag} ${remoteTag}`;
}

/** The dialog that a received request belongs to; undefined outside dialogs. A peer of RFC 2543 has the empty tag. */
export function dialogKeyOf(request: SipRequest): string | undefined {
  const localTag = tagOf(request.headers.get("To"));
  if (localTag === undefined) return undefined;
  return dialogKey(request.headers.get("Call-ID") ?? "", localTag, tagOf(request.headers.get("From")) ?? "");
}

interface DialogState {
  readonly role: "uac" | "uas";
  readonly callId: string;
  readonly localTag: string;
  readonly remoteTag: string;
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly remoteUri: string;
  readonly routeSet: readonly string[];
  readonly remoteTarget: string;
  readonly localSequence: number;
  readonly remoteSequence: number | undefined;
}

/**
 * The state that two user agents share: RFC 3261 §12. Builds their requests, checks the peer's CSeq, follows the peer's
 * Contact. Requests come without Via and Contact, which depend on the transport that is chosen later.
 */
export class Dialog {
  /** Who sent the INVITE: the owner of the Call-ID, for glare (§14.1). */
  readonly role: "uac" | "uas";
  readonly callId: string;
  readonly localTag: string;
  readonly remoteTag: string;
  /** From (as UAC) or To (as UAS) without tag. */
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly remoteUri: string;
  #state: "early" | "confirmed";
  #routeSet: readonly string[];
  #remoteTarget: string;
  #localSequence: number;
  #remoteSequence: number | undefined;

  private constructor(state: "early" | "confirmed", from: DialogState) {
    this.role = from.role;
    this.callId = from.callId;
    this.localTag = from.localTag;
    this.remoteTag = from.remoteTag;
    this.localAddress = from.localAddress;
    this.remoteAddress = from.remoteAddress;
    this.remoteUri = from.remoteUri;
    this.#state = state;
    this.#routeSet = from.routeSet;
    this.#remoteTarget = from.remoteTarget;
    this.#localSequence = from.localSequence;
    this.#remoteSequence = from.remoteSequence;
  }

  /** The caller's side, from a provisional response with a tag (early) or a 2xx (confirmed): §12.1.2. */
  static asClient(invite: SipRequest, response: SipResponse): Result<Dialog, DialogError> {
    const from = parseNameAddr(invite.headers.get("From") ?? "");
    const to = parseNameAddr(response.headers.get("To") ?? "");
    const cseq = parseCSeq(invite.headers.get("CSeq") ?? "");
    if (!from.ok || !to.ok || !cseq.ok) return err({ message: "From, To or CSeq does not read" });
    return ok(
      new Dialog(response.status < 200 ? "early" : "confirmed", {
        role: "uac",
        callId: invite.headers.get("Call-ID") ?? "",
        localTag: from.value.params.get("tag") ?? "",
        remoteTag: to.value.params.get("tag") ?? "", // §12.1.2: a peer of RFC 2543 has a null tag
        localAddress: formatNameAddr({ displayName: from.value.displayName, uri: from.value.uri }),
        remoteAddress: formatNameAddr({ displayName: to.value.displayName, uri: to.value.uri }),
        remoteUri: to.value.uri,
        routeSet: response.headers.list("Record-Route").reverse(),
        // A 2xx without Contact breaks §12.1.1; the address that was called is the next best place to send ACK and BYE.
        remoteTarget: contactUri(response) ?? invite.uri,
        localSequence: cseq.value.sequence,
        remoteSequence: undefined,
      }),
    );
  }

  /** The answering side: §12.1.1. @param localTag - the tag of our To */
  static asServer(invite: SipRequest, localTag: string): Result<Dialog, DialogError> {
    const from = parseNameAddr(invite.headers.get("From") ?? "");
    const to = parseNameAddr(invite.headers.get("To") ?? "");
    const cseq = parseCSeq(invite.headers.get("CSeq") ?? "");
    if (!from.ok || !to.ok || !cseq.ok) return err({ message: "From, To or CSeq does not read" });
    return ok(
      new Dialog("early", {
        role: "uas",
        callId: invite.headers.get("Call-ID") ?? "",
        localTag,
        remoteTag: from.value.params.get("tag") ?? "",
        localAddress: formatNameAddr({ displayName: to.value.displayName, uri: to.value.uri }),
        remoteAddress: formatNameAddr({ displayName: from.value.displayName, uri: from.value.uri }),
        remoteUri: from.value.uri,
        routeSet: invite.headers.list("Record-Route"),
        remoteTarget: contactUri(invite) ?? from.value.uri,
        localSequence: 0,
        remoteSequence: cseq.value.sequence,
      }),
    );
  }

  get state(): "early" | "confirmed" {
    return this.#state;
  }

  get key(): string {
    return dialogKey(this.callId, this.localTag, this.remoteTag);
  }

  get remoteTarget(): string {
    return this.#remoteTarget;
  }

  get routeSet(): readonly string[] {
    return this.#routeSet;
  }

  get localSequence(): number {
    return this.#localSequence;
  }

  /**
   * A 2xx came or was sent. As UAC give the 2xx: "the route set of the dialog MUST be recomputed based on the 2xx
   * response" (§13.2.2.4).
   */
  confirm(response?: SipResponse): void {
    this.#state = "confirmed";
    if (response === undefined) return;
    this.#routeSet = response.headers.list("Record-Route").reverse();
    this.refreshTarget(response);
  }

  /** Takes the Contact of a target refresh request, or of the 2xx to one (§12.2.1.2, §12.2.2). */
  refreshTarget(message: SipMessage): void {
    this.#remoteTarget = contactUri(message) ?? this.#remoteTarget;
  }

  /**
   * Checks the order of the peer's requests (§12.2.2): a lower number than before gets 500, gaps are fine. ACK and
   * CANCEL repeat a number and are not for this method.
   */
  receive(request: SipRequest): "inOrder" | "outOfOrder" {
    const cseq = parseCSeq(request.headers.get("CSeq") ?? "");
    if (!cseq.ok) return "outOfOrder";
    if (this.#remoteSequence !== undefined && cseq.value.sequence < this.#remoteSequence) return "outOfOrder";
    this.#remoteSequence = cseq.value.sequence;
    return "inOrder";
  }

  /** The next request: CSeq one higher than the last (§12.2.1.1). */
  createRequest(method: string): RoutedRequest {
    this.#localSequence += 1;
    return this.#create(method, this.#localSequence);
  }

  /** ACK to a 2xx: the INVITE's CSeq number and its credentials (§13.2.2.4). */
  createAck(invite: SipRequest): RoutedRequest {
    const cseq = parseCSeq(invite.headers.get("CSeq") ?? "");
    const routed = this.#create("ACK", cseq.ok ? cseq.value.sequence : this.#localSequence);
    for (const name of ["Authorization", "Proxy-Authorization"]) {
      for (const line of invite.headers.lines(name)) routed.request.headers.append(name, line);
    }
    return routed;
  }

  #create(method: string, sequence: number): RoutedRequest {
    const { uri, routes, nextHop } = this.#route();
    const headers = new SipHeaders();
    headers.append("Max-Forwards", "70");
    for (const route of routes) headers.append("Route", route);
    headers.append("From", withTag(this.localAddress, this.localTag));
    headers.append("To", withTag(this.remoteAddress, this.remoteTag));
    headers.append("Call-ID", this.callId);
    headers.append("CSeq", formatCSeq({ sequence, method }));
    return { request: { kind: "request", method, uri, headers, body: NO_BODY }, nextHop };
  }

  /** §12.2.1.1: loose routing, and strict routing where the first route lacks `lr`. */
  #route(): { uri: string; routes: readonly string[]; nextHop: string } {
    const [first, ...others] = this.#routeSet;
    if (first === undefined) return { uri: this.#remoteTarget, routes: [], nextHop: this.#remoteTarget };
    const address = parseNameAddr(first);
    const nextHop = address.ok ? address.value.uri : this.#remoteTarget;
    const uri = parseSipUri(nextHop);
    if (!uri.ok || uri.value.params.has("lr")) {
      return { uri: this.#remoteTarget, routes: this.#routeSet, nextHop };
    }
    return { uri: requestUri(nextHop) ?? nextHop, routes: [...others, `<${this.#remoteTarget}>`], nextHop };
  }
}

function withTag(address: string, tag: string): string {
  return tag === "" ? address : `${address};tag=${tag}`;
}

/** The URI of the first Contact, when it is one that requests can be sent to. */
function contactUri(message: SipMessage): string | undefined {
  const value = message.headers.list("Contact")[0];
  if (value === undefined) return undefined;
  const contact = parseContact(value);
  if (!contact.ok || contact.value === "*") return undefined;
  return requestUri(contact.value.uri);
}

/** A URI as a Request-URI may have it: §19.1.1 lets neither header fields nor a method stand there. */
function requestUri(text: string): string | undefined {
  const uri = parseSipUri(text);
  if (!uri.ok) return undefined;
  const { params } = uri.value;
  if (uri.value.headers.length === 0 && !params.has("method")) return text;
  return formatSipUri({
    ...uri.value,
    params: new Map([...params].filter(([name]) => name !== "method")),
    headers: [],
  });
}
