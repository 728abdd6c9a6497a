import type { PacketBatch, PacketIo, PortIndex } from "../net/index.ts";
import type { SrtpState } from "./srtp-state.ts";

/**
 * Symmetric RTCP (RFC 4961) on one port: reports go to the signalled port until one comes from the party's address;
 * then they go where that came from. Reports from other addresses are not believed.
 *
 * Where both sides agreed on one port for RTP and RTCP (RFC 5761), reports leave by the RTP port and go where RTP goes.
 */
export class RtcpPath {
  readonly #io: PacketIo;
  readonly #port: PortIndex;
  readonly #srtp: SrtpState;
  readonly #rtpPort: PortIndex;
  #isMuxed = false;
  #signalledAddress = "";
  #signalledPort = 0;
  /** The address that RTP comes from, once that is known. */
  #rtpAddress = "";
  #heard = false;
  #hasPeer = false;

  /** @param rtpPort - what reports leave by where RTP and RTCP share a port */
  constructor(io: PacketIo, port: PortIndex, srtp: SrtpState, rtpPort: PortIndex = port) {
    this.#io = io;
    this.#port = port;
    this.#srtp = srtp;
    this.#rtpPort = rtpPort;
  }

  /** What signalling says; port 0 when it says nothing. */
  expect(address: string, port: number, isMuxed = false): void {
    this.#isMuxed = isMuxed;
    if (address === this.#signalledAddress && port === this.#signalledPort) return;
    this.#signalledAddress = address;
    this.#signalledPort = port;
    this.#rtpAddress = "";
    this.#heard = false;
    this.#set(address, port);
  }

  /** RTP comes from there: where it is not what signalling said, RTCP is looked for one port above (RFC 3550 §11). */
  followRtp(address: string, rtpPort: number): void {
    if (address === this.#rtpAddress) return;
    this.#rtpAddress = address;
    if (!this.#heard && address !== this.#signalledAddress) this.#set(address, rtpPort + 1);
  }

  /** May this compound packet, valid in itself, be taken? */
  admits(batch: PacketBatch, index: number): boolean {
    if (batch.fromPeer[index] === 1) {
      this.#heard = true;
      return true;
    }
    const address = batch.sourceAddress(index);
    if (address !== this.#rtpAddress && address !== this.#signalledAddress) return false;
    this.#heard = true;
    if (!this.#isMuxed) this.#set(address, batch.sourcePort(index));
    return true;
  }

  send(bytes: Uint8Array): boolean {
    if (!this.#hasPeer) return false;
    const { sender } = this.#srtp;
    const at = this.#io.reserve(bytes.length + (sender?.rtcpOverhead ?? 0));
    if (at < 0) return false;
    this.#io.slab.set(bytes, at);
    const length = sender === undefined ? bytes.length : sender.protectRtcp(this.#io.slab, at, bytes.length);
    if (length < 0) return false;
    this.#io.send(this.#isMuxed ? this.#rtpPort : this.#port, at, length);
    return true;
  }

  #set(address: string, port: number): void {
    this.#hasPeer = port > 0 && port <= 0xffff;
    if (this.#hasPeer) this.#io.setPeer(this.#port, address, port, false);
    else this.#io.clearPeer(this.#port);
  }
}
