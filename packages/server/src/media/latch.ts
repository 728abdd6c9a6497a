import { addToSequence } from "@callfork/protocol/rtp";
import type { PacketBatch, PacketIo, PortIndex } from "../net/index.ts";

/**
 * Symmetric RTP (RFC 4961) on one port: whom packets are taken from, and where ours go.
 *
 * 1. The signalled address is believed: its first valid packet latches the port to it.
 * 2. A stranger latches an unlatched port by two valid packets in sequence from one address and SSRC (RFC 3550
 *    appendix A.1 asks the same of a new source). The first of the two is dropped. So a party behind a NAT is found.
 * 3. A latched port hears its peer alone; the kernel drops what others send.
 * 4. After `reopen` (silence) the port may be latched anew by the same rules; until then ours go where they went.
 * 5. Another signalled address starts over; the same one told again changes nothing.
 */
export class Latch {
  readonly #io: PacketIo;
  readonly #port: PortIndex;
  #signalledAddress = "";
  #signalledPort = 0;
  #latched = false;
  /** Where ours go. */
  address = "";
  remotePort = 0;
  #candidateAddress = "";
  #candidatePort = 0;
  #candidateSsrc = -1;
  #candidateSequence = -1;

  constructor(io: PacketIo, port: PortIndex) {
    this.#io = io;
    this.#port = port;
  }

  get latched(): boolean {
    return this.#latched;
  }

  /** Do ours have a destination? */
  get hasPeer(): boolean {
    return this.remotePort !== 0;
  }

  /** What signalling says; port 0 when it says nothing. */
  expect(address: string, port: number): void {
    if (address === this.#signalledAddress && port === this.#signalledPort) return;
    this.#signalledAddress = address;
    this.#signalledPort = port;
    this.#latched = false;
    this.#candidateSequence = -1;
    this.#set(address, port, false);
  }

  /** May this packet, valid in itself, be taken? */
  admits(batch: PacketBatch, index: number, ssrc: number, sequence: number): boolean {
    if (batch.fromPeer[index] === 1) {
      if (!this.#latched) this.#latch(this.address, this.remotePort);
      return true;
    }
    if (this.#latched) return false;
    const address = batch.sourceAddress(index);
    const port = batch.sourcePort(index);
    const isSignalled = address === this.#signalledAddress && port === this.#signalledPort;
    if (isSignalled || this.#isExpectedCandidate(address, port, ssrc, sequence)) {
      this.#latch(address, port);
      return true;
    }
    this.#candidateAddress = address;
    this.#candidatePort = port;
    this.#candidateSsrc = ssrc;
    this.#candidateSequence = addToSequence(sequence, 1);
    return false;
  }

  /** The peer has fallen silent: someone may take its place. */
  reopen(): void {
    if (!this.#latched) return;
    this.#latched = false;
    this.#candidateSequence = -1;
    this.#set(this.address, this.remotePort, false);
  }

  #isExpectedCandidate(address: string, port: number, ssrc: number, sequence: number): boolean {
    return (
      sequence === this.#candidateSequence &&
      ssrc === this.#candidateSsrc &&
      port === this.#candidatePort &&
      address === this.#candidateAddress
    );
  }

  #latch(address: string, port: number): void {
    this.#latched = true;
    this.#candidateSequence = -1;
    this.#set(address, port, true);
  }

  #set(address: string, port: number, exclusive: boolean): void {
    this.address = address;
    this.remotePort = port;
    if (port === 0) this.#io.clearPeer(this.#port);
    else this.#io.setPeer(this.#port, address, port, exclusive);
  }
}
