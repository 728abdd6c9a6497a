import {
  createResponse,
  formatSipMessage,
  parseSipMessage,
  type SipMessage,
  type SipRequest,
  type SipResponse,
} from "@callfork/protocol/sip";
import type { SipDestination, SipFlow } from "@callfork/server/net";
import type { VirtualNode, VirtualNodeOptions } from "@callfork/testkit";
import type { World } from "./pair.ts";

export interface RawRequestParts {
  readonly method: string;
  readonly uri?: string;
  readonly branch?: string;
  readonly via?: string;
  readonly callId?: string;
  readonly cseq?: number;
  readonly fromTag?: string;
  readonly toTag?: string;
  readonly lines?: readonly string[];
  readonly body?: string;
}

/** A peer without any machine: it sends what the test says, when the test says it, and keeps what it got. */
export class RawPeer {
  readonly node: VirtualNode;
  readonly received: { readonly message: SipMessage; readonly flow: SipFlow; readonly at: number }[] = [];
  sendsRubbish = false;
  /** Answers by itself when set. */
  onRequest: ((request: SipRequest, flow: SipFlow) => void) | undefined;

  constructor(world: World, address: string, options: VirtualNodeOptions = {}) {
    this.node = world.network.node(address, options);
    this.node.attach({
      onMessage: (bytes, flow) => {
        const parsed = parseSipMessage(bytes);
        if (!parsed.ok) {
          // A refusal copies what was sent, so only a peer that sends rubbish may get some back.
          if (this.sendsRubbish) return;
          throw new Error(parsed.error.message);
        }
        this.received.push({ message: parsed.value, flow, at: world.clock.now() });
        if (parsed.value.kind === "request") this.onRequest?.(parsed.value, flow);
      },
    });
  }

  get requests(): SipRequest[] {
    return this.received.flatMap(({ message }) => (message.kind === "request" ? [message] : []));
  }

  get responses(): SipResponse[] {
    return this.received.flatMap(({ message }) => (message.kind === "response" ? [message] : []));
  }

  get methods(): string[] {
    return this.requests.map(({ method }) => method);
  }

  get statuses(): number[] {
    return this.responses.map(({ status }) => status);
  }

  last(method: string): { readonly request: SipRequest; readonly flow: SipFlow } {
    const found = this.received.findLast(
      ({ message }) => message.kind === "request" && message.method === method,
    );
    if (found?.message.kind !== "request") throw new Error(`no ${method} came`);
    return { request: found.message, flow: found.flow };
  }

  /** Sends a request to 10.0.0.1 over UDP, or the given text as it is. */
  send(parts: RawRequestParts | string, to = "10.0.0.1"): void {
    const text = typeof parts === "string" ? parts : this.text(parts);
    void this.node.send(new TextEncoder().encode(text), { transport: "udp", address: to, port: 5060 });
  }

  text({ method, body = "", ...parts }: RawRequestParts): string {
    const { branch = `z9hG4bK${parts.cseq ?? 1}${method}`, toTag, cseq = 1 } = parts;
    const cseqMethod = method;
    return [
      `${method} ${parts.uri ?? "sip:platform@10.0.0.1"} SIP/2.0`,
      `Via: ${parts.via ?? `SIP/2.0/UDP ${this.node.address}:${this.node.port};branch=${branch};rport`}`,
      "Max-Forwards: 70",
      `From: <sip:raw@example.com>;tag=${parts.fromTag ?? "raw"}`,
      `To: <sip:platform@example.com>${toTag === undefined ? "" : `;tag=${toTag}`}`,
      `Call-ID: ${parts.callId ?? "raw-call"}`,
      `CSeq: ${cseq} ${cseqMethod}`,
      `Contact: <sip:raw@${this.node.address}:${this.node.port}>`,
      ...(parts.lines ?? []),
      `Content-Length: ${body.length}`,
      "",
      body,
    ].join("\r\n");
  }

  respond(
    { request, flow }: { readonly request: SipRequest; readonly flow: SipFlow },
    status: number,
    options: { readonly tag?: string; readonly lines?: readonly (readonly [string, string])[] } = {},
  ): void {
    const response = createResponse(request, status, {
      toTag: options.tag ?? "rawtag",
      headers: [["Contact", `<sip:raw@${this.node.address}:${this.node.port}>`], ...(options.lines ?? [])],
    });
    void this.node.send(formatSipMessage(response), flow);
  }

  /** The same with a session description. */
  respondWith(
    { request, flow }: { readonly request: SipRequest; readonly flow: SipFlow },
    status: number,
    description: string,
    lines: readonly (readonly [string, string])[] = [],
  ): void {
    const contact = ["Contact", `<sip:raw@${this.node.address}:${this.node.port}>`] as const;
    const response = createResponse(request, status, {
      toTag: "rawtag",
      headers: [contact, ["Content-Type", "application/sdp"], ...lines],
      body: new TextEncoder().encode(description),
    });
    void this.node.send(formatSipMessage(response), flow);
  }

  /** Answers a request that came to somebody, or came changed, by a way of its own. */
  async answerTo(request: SipRequest, status: number, to: SipDestination): Promise<void> {
    await this.node.send(formatSipMessage(createResponse(request, status, { toTag: "rawtag" })), to);
  }

  /** The To tag of the platform's answers. */
  get platformTag(): string {
    const tagged = this.responses.find((response) => response.headers.get("To")?.includes("tag="));
    return /tag=([^;]+)/.exec(tagged?.headers.get("To") ?? "")?.[1] ?? "";
  }
}

/** Lets `ms` pass. */
export const pass = (world: World, ms = 100): Promise<void> => world.clock.advance(ms);
