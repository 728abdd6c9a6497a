import { utf8Decode } from "../text/index.ts";
import { createResponse } from "./create-response.ts";
import { SipHeaders } from "./headers.ts";
import { NO_BODY, type SipRequest, type SipResponse } from "./message.ts";
import type { TransactionOutput } from "./transaction-machine.ts";

/** Runs a machine on a clock of its own and writes down what it sends and says, and when. */
export class Drive {
  now = 0;
  readonly wire: { readonly at: number; readonly line: string }[] = [];
  readonly events: string[] = [];
  readonly #machine: { timer(name: string, now: number): readonly TransactionOutput[] };
  readonly #timers = new Map<string, number>();

  constructor(machine: { timer(name: string, now: number): readonly TransactionOutput[] }) {
    this.#machine = machine;
  }

  take(outputs: readonly TransactionOutput[]): this {
    for (const output of outputs) {
      if (output.kind === "send") {
        this.wire.push({ at: this.now, line: utf8Decode(output.bytes).split("\r\n", 1)[0]! });
      } else if (output.kind === "setTimer") this.#timers.set(output.timer, output.at);
      else if (output.kind === "clearTimer") this.#timers.delete(output.timer);
      else {
        const { event } = output;
        const detail = event.type === "response" ? ` ${event.response.status}` : "";
        this.events.push(`${this.now} ${event.type}${detail}`);
      }
    }
    return this;
  }

  /** Lets time pass to instant `until`, timers included. */
  until(until: number): this {
    for (;;) {
      const due = [...this.#timers].filter(([, at]) => at <= until).sort((a, b) => a[1] - b[1])[0];
      if (due === undefined) break;
      const [name, at] = due;
      this.#timers.delete(name);
      this.now = at;
      this.take(this.#machine.timer(name, at));
    }
    this.now = until;
    return this;
  }

  get runningTimers(): string[] {
    return [...this.#timers.keys()].sort();
  }

  /** Instants at which something was sent. */
  get times(): number[] {
    return this.wire.map(({ at }) => at);
  }
}

export function testRequest(method: string, lines: Record<string, string> = {}): SipRequest {
  const fields = {
    Via: "SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK776asdhds",
    "Max-Forwards": "70",
    From: "Alice <sip:alice@example.com>;tag=1928301774",
    To: "Bob <sip:bob@example.com>",
    "Call-ID": "a84b4c76e66710",
    CSeq: `314159 ${method}`,
    ...lines,
  };
  return {
    kind: "request",
    method,
    uri: "sip:bob@10.0.0.2",
    headers: new SipHeaders(Object.entries(fields)),
    body: NO_BODY,
  };
}

export function testResponse(request: SipRequest, status: number, tag = "a6c85cf"): SipResponse {
  return createResponse(request, status, { toTag: tag });
}
