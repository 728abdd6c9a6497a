import type { InboundPath } from "./inbound-path.ts";
import type { MediaContext } from "./media-context.ts";
import type { MediaId } from "./types.ts";

/** A latched peer that is silent this long loses its hold on the port: its NAT may have given it another address. */
export const REOPEN_MS = 2000;

/** Tells when packets begin to come and when they cease, and reopens the latch of a silent port. */
export class SilenceWatch {
  readonly #context: MediaContext;
  readonly #id: MediaId;
  readonly #inbound: InboundPath;
  #expectedSince = 0;
  #flowing = false;
  #told = false;

  constructor(context: MediaContext, id: MediaId, inbound: InboundPath) {
    this.#context = context;
    this.#id = id;
    this.#inbound = inbound;
  }

  /** Something about the connection has changed: silence counts from now on. */
  restart(now: number): void {
    this.#expectedSince = now;
    this.#told = false;
  }

  onPacket(): void {
    if (this.#flowing) return;
    this.#flowing = true;
    this.#told = false;
    this.#context.emit({ kind: "rtp-started", id: this.#id });
  }

  run(now: number): void {
    const inbound = this.#inbound;
    if (inbound.lastPacketAt >= 0 && now - inbound.lastPacketAt > REOPEN_MS) inbound.reopen();
    if (!inbound.listening || this.#told) return;
    const silentMs = now - Math.max(inbound.lastPacketAt, this.#expectedSince);
    if (silentMs < this.#context.silenceMs) return;
    this.#told = true;
    this.#flowing = false;
    // The next packet has to be told of.
    inbound.unsettle();
    this.#context.emit({ kind: "rtp-stopped", id: this.#id, silentMs: Math.round(silentMs) });
  }
}
