import {
  keyingFault,
  type SrtpCiphers,
  type SrtpKeying,
  SrtpReceiver,
  SrtpSender,
  sameKeying,
} from "@callfork/protocol/srtp";
import type { PacketIo, PortIndex } from "../net/index.ts";
import type { MediaSrtp } from "./types.ts";

/**
 * The SRTP contexts of one port pair, RTP and RTCP of both directions; in the clear there are none. Told the same keys
 * again, it goes on where it was: starting a key over would repeat its keystream (RFC 3711 §9.1).
 */
export class SrtpState {
  sender: SrtpSender | undefined;
  receiver: SrtpReceiver | undefined;
  #send: SrtpKeying | undefined;
  #receive: SrtpKeying | undefined;

  /** @returns the sender it had, when that has been replaced or given up */
  update(ciphers: SrtpCiphers, srtp: MediaSrtp | undefined): SrtpSender | undefined {
    const { sender: before, receiver } = this;
    const [send, receive] = [srtp?.send, srtp?.receive];
    if (receive === undefined) this.receiver = undefined;
    else if (this.#receive === undefined || !sameKeying(this.#receive, receive)) {
      this.receiver = new SrtpReceiver(ciphers, receive, {}, receiver);
    }
    if (send === undefined) this.sender = undefined;
    else if (this.#send === undefined || !sameKeying(this.#send, send)) {
      this.sender = new SrtpSender(ciphers, send);
    }
    this.#send = send;
    this.#receive = receive;
    return this.sender === before ? undefined : before;
  }
}

/** @throws RangeError for keys that do not fit their suite: a mistake of ours, told before it reaches a worker */
export function checkSrtp(srtp: MediaSrtp | undefined): void {
  for (const keying of srtp === undefined ? [] : [srtp.send, srtp.receive]) {
    const fault = keyingFault(keying);
    if (fault !== undefined) throw new RangeError(`srtp: ${fault}`);
  }
}

/**
 * Sends a packet that others still need as it is: protects a copy.
 *
 * @returns false when there was no room, or the index may not be sent
 */
export function sendProtectedCopy(
  io: PacketIo,
  port: PortIndex,
  sender: SrtpSender,
  bytes: Uint8Array,
  at: number,
  length: number,
): boolean {
  const copy = io.reserve(length + sender.rtpOverhead);
  if (copy < 0) return false;
  bytes.copyWithin(copy, at, at + length);
  return sendProtected(io, port, sender, bytes, copy, length);
}

/** Sends a packet that was built in a reserved region with `rtpOverhead` to spare. */
export function sendProtected(
  io: PacketIo,
  port: PortIndex,
  sender: SrtpSender,
  bytes: Uint8Array,
  at: number,
  length: number,
): boolean {
  const protectedLength = sender.protectRtp(bytes, at, length);
  if (protectedLength < 0) return false;
  io.send(port, at, protectedLength);
  return true;
}
