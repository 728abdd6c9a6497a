import { isIPv6 } from "node:net";
import { WebSocket } from "ws";
import type { StreamConnector } from "../recording-server/index.ts";
import { createAddressGuard } from "./address-guard.ts";
import { checkedAddresses, SYSTEM_RESOLVER } from "./checked-addresses.ts";
import { WebhookError } from "./errors.ts";
import { failureOf } from "./failures.ts";
import type { SigningKeys } from "./ports.ts";
import { signRequest } from "./signature.ts";
import { readTarget, type Target } from "./target.ts";
import type { AddressLookup } from "./types.ts";

const HANDSHAKE_MS = 5_000;
/** Consumers have little to say to us: marks and the like, which a recorder does not answer. */
const MAX_MESSAGE_BYTES = 64 * 1024;

export interface StreamConnectorOptions {
  /** Ranges (CIDR) or addresses that may be reached although they are not public. */
  readonly allowedAddresses: readonly string[];
  readonly accounts: SigningKeys;
  /** The system's resolver when it is left out. */
  readonly resolver?: AddressLookup | undefined;
  /** Certificates (PEM) to trust besides the system's. */
  readonly certificateAuthorities?: readonly string[] | undefined;
}

/**
 * WebSockets towards consumers of live audio. As with webhooks, the address is looked up, checked, and connected to
 * without another look-up; redirects are not followed; the handshake carries `X-Twilio-Signature` over the URL.
 *
 * @throws TypeError for an `allowedAddresses` entry that is no address or range
 */
export function createStreamConnector(options: StreamConnectorOptions): StreamConnector {
  const guard = createAddressGuard(options.allowedAddresses);
  const resolver = options.resolver ?? SYSTEM_RESOLVER;
  return {
    async open(url, accountSid) {
      const target = targetOf(url);
      const authToken = await options.accounts.authToken(accountSid);
      if (authToken === undefined) throw new WebhookError("noAccount", "the account is gone");
      const [address = ""] = await checkedAddresses(target, guard, resolver);
      const shown = `${target.origin.replace(/^http/, "ws")}${target.path}`;
      const headers: Record<string, string> = { "x-twilio-signature": signRequest(authToken, shown, []) };
      if (target.authorization !== undefined) headers.authorization = target.authorization;
      const family = isIPv6(address) ? 6 : 4;
      const socket = new WebSocket(shown, {
        headers,
        handshakeTimeout: HANDSHAKE_MS,
        maxPayload: MAX_MESSAGE_BYTES,
        perMessageDeflate: false,
        followRedirects: false,
        lookup: (_host, { all }, done) =>
          all === true ? done(null, [{ address, family }]) : done(null, address, family),
        ...(options.certificateAuthorities === undefined ? {} : { ca: [...options.certificateAuthorities] }),
      });
      await opened(socket, target);
      return socket;
    },
  };
}

function targetOf(url: string): Target {
  if (!/^wss?:\/\//i.test(url))
    throw new WebhookError("badUrl", "a stream's URL begins with wss:// or ws://");
  return readTarget(url.replace(/^ws/i, "http"));
}

function opened(socket: WebSocket, { protocol }: Target): Promise<void> {
  return new Promise((resolve, reject) => {
    // Errors after the handshake end in "close".
    socket.on("error", () => {});
    socket.once("open", () => resolve());
    socket.once("unexpected-response", (_request, response) => {
      response.destroy();
      socket.terminate();
      reject(new WebhookError("protocol", `the consumer answered with HTTP ${response.statusCode}`));
    });
    socket.once("error", (error) => reject(failureOf(error, "connecting", protocol)));
  });
}
