import type { MediaPlane, MediaPort } from "../media/index.ts";
import { isLocalAddress } from "../net/index.ts";
import type { LegMedia } from "./leg-media.ts";

/**
 * Joins two legs whose ports live in different media workers: a pair of ports, one beside each leg, that send to one
 * another on this machine. Neither peer has to be told a new address, and forks stay where they hang.
 */
export class Splice {
  readonly #plane: MediaPlane;
  readonly near: MediaPort;
  readonly far: MediaPort;

  private constructor(plane: MediaPlane, near: MediaPort, far: MediaPort) {
    this.#plane = plane;
    this.near = near;
    this.far = far;
  }

  /** @throws what the media plane rejects with, when no port is free */
  static async open(plane: MediaPlane, a: LegMedia, b: LegMedia): Promise<Splice | undefined> {
    if (a.group === b.group) return undefined;
    const near = await plane.openLeg({ group: a.group, remoteAddress: "127.0.0.1" });
    try {
      const far = await plane.openLeg({ group: b.group, remoteAddress: "127.0.0.1" });
      return new Splice(plane, near, far);
    } catch (error) {
      await plane.close(near.id);
      throw error;
    }
  }

  /** Packets pass with the numbers that the near leg's peer sends. */
  connect(a: LegMedia): void {
    const codecs = (a.line?.codecs ?? []).map(({ name, clockRateHz, receivePayloadType }) => ({
      name,
      clockRateHz,
      payloadType: receivePayloadType,
    }));
    const telephoneEventPayloadType = a.line?.telephoneEvents[0]?.receivePayloadType;
    for (const [from, to] of [
      [this.near, this.far],
      [this.far, this.near],
    ] as const) {
      const { rtpPort, rtcpPort, address } = to;
      // A port that is told to others by a public address is bound to any: reached here by loopback.
      const remote = { address: isLocalAddress(address) ? address : "127.0.0.1", rtpPort, rtcpPort };
      this.#plane.connectLeg(from.id, { remote, direction: "sendrecv", codecs, telephoneEventPayloadType });
    }
  }

  close(): void {
    for (const { id } of [this.near, this.far]) void this.#plane.close(id).catch(() => undefined);
  }
}
