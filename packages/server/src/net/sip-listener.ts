import type { SipListenAddress } from "../config/index.ts";
import type { Routes } from "./routes.ts";
import { TransportError } from "./transport-error.ts";
import type { SipDestination } from "./types.ts";

/** Where SIP is heard and sent from. */
export interface SipListener extends SipListenAddress {
  /**
   * One of a named group of listeners. Messages leave from them only when their destination says so, and then with their
   * address as source; what goes anywhere else leaves from those without a name.
   */
  readonly edge?: string | undefined;
  /** What Via and Contact tell, where that is not the address itself: behind a NAT. */
  readonly publicAddress?: string | undefined;
}

export interface ConnectionOrigin {
  /** What the socket is bound to before it connects. */
  readonly bind: { readonly localAddress?: string };
  readonly localAddress: string;
  /** Where the peer can reach us, which is not the port a connection leaves from. */
  readonly localPort: number;
}

/**
 * Where a connection to a destination begins: at the address of its edge, elsewhere as the kernel routes.
 *
 * @throws TransportError "unavailable"
 */
export function originOf(
  listeners: readonly Omit<SipListener, "transport">[],
  routes: Routes,
  { transport, address, edge }: Pick<SipDestination, "transport" | "address" | "edge">,
): ConnectionOrigin {
  const ofEdge = listeners.filter((listener) => listener.edge === edge);
  const listener = routes.choose(ofEdge, address);
  if (edge === undefined) {
    return { bind: {}, localAddress: routes.localFor(address) ?? "", localPort: listener?.port ?? 0 };
  }
  if (listener === undefined) {
    throw new TransportError("unavailable", `edge ${edge} has no ${transport} that can reach ${address}`);
  }
  return {
    bind: { localAddress: listener.address },
    localAddress: listener.address,
    localPort: listener.port,
  };
}
