import type { Log } from "../observe/index.ts";
import type { MediaPlane } from "./types.ts";

export interface MediaPlaneOptions {
  /** What goes into the SDP. Without it: the address of ours on the route to the remote address. */
  readonly advertisedAddress?: string | undefined;
  /** Where sockets are bound. Without it: the advertised address when it is ours, else all addresses. */
  readonly bindAddress?: string | undefined;
  /** Even/odd pairs are taken from here, both ends included. */
  readonly ports: { readonly first: number; readonly last: number };
  readonly workers: number;
  readonly log: Log;
  /** How long a port pair rests after close, so that late packets of the old call meet nobody. Default 5,000. */
  readonly drainMs?: number;
  /** "rtp-stopped" is told after this much silence. Default 10,000. */
  readonly silenceMs?: number;
}

/** Starts the workers; resolves when all are ready. */
export async function createMediaPlane(_options: MediaPlaneOptions): Promise<MediaPlane> {
  throw new Error("being built");
}
