import { readUint16 } from "./packet.ts";

/*
 * RFC 4733 §2.3:
 *
 *     0                   1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |     event     |E|R| volume    |          duration             |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */

export const TELEPHONE_EVENT_LENGTH = 4;

export interface TelephoneEvent {
  /** Event code: 0–9 digits, 10 `*`, 11 `#`, 12–15 A–D, 16 flash (RFC 4733 §3.2). */
  readonly event: number;
  readonly end: boolean;
  /** Power below 0 dBm0, in dB: 0 loudest, 63 quietest. */
  readonly volume: number;
  /** In timestamp units since the packet's timestamp. */
  readonly duration: number;
}

/** Reads a telephone-event payload; `undefined` when it is shorter than four octets. Longer ones carry nothing more. */
export function parseTelephoneEvent(
  bytes: Uint8Array,
  at: number,
  length: number,
): TelephoneEvent | undefined {
  if (length < TELEPHONE_EVENT_LENGTH) return undefined;
  const flags = bytes[at + 1]!;
  return {
    event: bytes[at]!,
    end: (flags & 0x80) !== 0,
    volume: flags & 0x3f,
    duration: readUint16(bytes, at + 2),
  };
}

const KEYS = "0123456789*#ABCD";

/** The key of a DTMF event, `undefined` for flash, tones and data modem events. */
export function dtmfKey(event: number): string | undefined {
  return KEYS[event];
}

/** One event that is over, or whose end was lost. */
export interface CompletedTelephoneEvent {
  readonly event: number;
  /** In timestamp units. */
  readonly duration: number;
}

/**
 * Makes one event out of its many packets: updates with growing duration, then the end three times over. Packets of
 * one event share their timestamp (RFC 4733 §2.5.1.2), so a repeated end is told from the same key pressed again.
 * Events longer than 2^16 − 1 units come in segments (§2.5.1.3): each is reported as an event of its own.
 */
export class TelephoneEventReceiver {
  #timestamp = -1;
  #event = 0;
  #duration = 0;
  #reported = true;

  /** Takes the next packet; returns an event that this packet completes: its own, or the one before whose end was lost. */
  receive(rtpTimestamp: number, packet: TelephoneEvent): CompletedTelephoneEvent | undefined {
    if (rtpTimestamp === this.#timestamp) {
      if (this.#reported) return undefined;
      if (packet.duration > this.#duration) this.#duration = packet.duration;
      return packet.end ? this.flush() : undefined;
    }
    // A straggler of the event before this one.
    if (this.#timestamp >= 0 && ((rtpTimestamp - this.#timestamp) | 0) < 0) return undefined;
    const previous = this.flush();
    this.#timestamp = rtpTimestamp;
    this.#event = packet.event;
    this.#duration = packet.duration;
    this.#reported = false;
    // When both are complete now, the repeats of this end will tell the second.
    return previous ?? (packet.end ? this.flush() : undefined);
  }

  /** The running event, when its end is given up. */
  flush(): CompletedTelephoneEvent | undefined {
    if (this.#reported) return undefined;
    this.#reported = true;
    return { event: this.#event, duration: this.#duration };
  }

  /** Is an event running whose end has not been seen? */
  get pending(): boolean {
    return !this.#reported;
  }
}
