import { createSocket } from "node:dgram";
import { isIP } from "node:net";
import { networkInterfaces } from "node:os";

/**
 * The address of ours that packets to `remoteAddress` leave from, as the kernel's routing table says: a UDP socket
 * is connected (nothing is sent) and asked for its name.
 *
 * @param remoteAddress - a numeric IPv4 or IPv6 address
 * @returns `undefined` when there is no route or the text is no address
 */
export function localAddressFor(remoteAddress: string): string | undefined {
  const family = isIP(remoteAddress);
  if (family === 0) return undefined;
  const socket = createSocket({
    type: family === 6 ? "udp6" : "udp4",
    // A literal needs no look-up; answering at once makes connect() complete before it returns.
    lookup: (host, _options, callback) => callback(null, host, family),
  });
  socket.on("error", () => {});
  try {
    socket.connect(DISCARD_PORT, remoteAddress);
    return socket.address().address;
  } catch {
    return undefined;
  } finally {
    socket.close();
  }
}

/** Is this an address of one of our interfaces? A public address behind a NAT is not. */
export function isLocalAddress(address: string): boolean {
  if (address.startsWith("127.")) return true;
  return Object.values(networkInterfaces()).some((list) => list?.some((entry) => entry.address === address));
}

const DISCARD_PORT = 9;
