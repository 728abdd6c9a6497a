import type { NegotiatedMedia } from "@callfork/protocol/offer-answer";
import type { MediaPlane, MediaPort } from "../media/index.ts";
import { legCodecsOf, targetOf } from "./media-target.ts";

/** Beyond these a leg's lines are refused: nobody shows more pictures than that in one call. */
const MAXIMUM_PASSAGES = 4;

/**
 * The ports of a leg's lines beside its audio, by index of the m-line: video, passed through to the other leg as it
 * comes. A line has a port from when it is offered until its leg ends, or both sides have agreed without it.
 */
export class LegPassages {
  readonly #plane: MediaPlane;
  readonly #group: string;
  readonly #ports = new Map<number, MediaPort>();
  readonly #opening = new Map<number, Promise<void>>();
  #closed = false;

  constructor(plane: MediaPlane, group: string) {
    this.#plane = plane;
    this.#group = group;
  }

  get indices(): readonly number[] {
    return [...this.#ports.keys()];
  }

  port(index: number): MediaPort | undefined {
    return this.#ports.get(index);
  }

  /** Opens ports where there are none. A line for which none is free goes without: it is refused. Never rejects. */
  async open(indices: readonly number[], remoteAddress: string | undefined): Promise<void> {
    const wanted = indices.filter((index) => !this.#ports.has(index) && !this.#opening.has(index));
    const room = MAXIMUM_PASSAGES - this.#ports.size - this.#opening.size;
    for (const index of wanted.slice(0, Math.max(0, room))) {
      this.#opening.set(index, this.#open(index, remoteAddress));
    }
    await Promise.all(indices.map((index) => this.#opening.get(index)));
  }

  /** Both sides agreed: tells the media plane of each line, and closes those that are over. */
  agree(media: readonly NegotiatedMedia[]): void {
    for (const [index, port] of this.#ports) {
      const line = media[index];
      this.#plane.connectLeg(port.id, {
        remote: line?.accepted ? targetOf(line) : null,
        direction: line?.accepted ? line.direction : "inactive",
        codecs: line?.accepted ? legCodecsOf(line) : [],
        srtp: line?.srtp,
      });
    }
  }

  /** Gives up the lines that are not among these. @returns whether there were any */
  keep(indices: readonly number[]): boolean {
    const over = this.indices.filter((index) => !indices.includes(index));
    for (const index of over) this.#close(index);
    return over.length > 0;
  }

  close(): void {
    this.#closed = true;
    this.keep([]);
  }

  async #open(index: number, remoteAddress: string | undefined): Promise<void> {
    try {
      const port = await this.#plane.openLeg({
        group: this.#group,
        isPassage: true,
        ...(remoteAddress !== undefined && { remoteAddress }),
      });
      this.#ports.set(index, port);
      if (this.#closed) this.#close(index);
    } catch {
      // No port is free, or the worker is gone: the call goes on without the line.
    } finally {
      this.#opening.delete(index);
    }
  }

  #close(index: number): void {
    const port = this.#ports.get(index);
    this.#ports.delete(index);
    if (port) void this.#plane.close(port.id).catch(() => undefined);
  }
}
