import type { RoutedRequest } from "@callfork/protocol/sip";
import type { Core } from "./core.ts";
import { chooseBySize } from "./outgoing-request.ts";
import { findTargets, type Target, type TargetOptions } from "./targets.ts";
import { callIdOf } from "./transaction-layer.ts";

/**
 * The ACK to one 2xx: no transaction, sent once for each time that 2xx comes (RFC 3261 §13.2.2.4). The same branch
 * each time: it is the same ACK.
 */
export class OutgoingAck {
  readonly #core: Core;
  readonly #routed: RoutedRequest;
  readonly #way: Pick<TargetOptions, "path" | "tls">;
  #ways: (() => Promise<void>)[] = [];

  constructor(core: Core, routed: RoutedRequest, way: Pick<TargetOptions, "path" | "tls">) {
    this.#core = core;
    this.#routed = routed;
    this.#way = way;
  }

  send(): void {
    if (this.#ways.length > 0) {
      void this.#try();
      return;
    }
    const { locator, transports } = this.#core;
    const found = findTargets({
      uri: this.#routed.nextHop,
      ...this.#way,
      locator,
      transports,
    });
    const use = (targets: Awaited<typeof found>): void => {
      if (!targets.ok) this.#warn(targets.message);
      else this.#prepare(targets.targets);
    };
    if (found instanceof Promise) void found.then(use);
    else use(found);
  }

  #prepare(targets: readonly Target[]): void {
    for (const target of targets) {
      const first = chooseBySize(this.#core, this.#routed.request, target, undefined, false);
      if (first === undefined) continue;
      this.#ways.push(() => this.#core.transactions.send(first.request, first.target));
      if (first.target === target) continue;
      const second = chooseBySize(this.#core, this.#routed.request, target, undefined, true);
      if (second) this.#ways.push(() => this.#core.transactions.send(second.request, second.target));
    }
    void this.#try();
  }

  async #try(): Promise<void> {
    let failure: unknown;
    for (const way of this.#ways) {
      try {
        await way();
        return;
      } catch (error) {
        failure = error;
      }
    }
    this.#warn(failure instanceof Error ? failure.message : "no way to send");
  }

  #warn(message: string): void {
    this.#core.log.warn({ callId: callIdOf(this.#routed.request) }, `ACK was not sent: ${message}`);
  }
}
