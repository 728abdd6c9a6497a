import type { SrtpCiphers } from "@callfork/protocol/srtp";
import type { Random } from "@callfork/protocol/text";
import type { PacketIo } from "../net/index.ts";
import type { SteadyFlows } from "./steady-flows.ts";
import type { MediaEvent } from "./types.ts";

/** What everything in a media worker shares. */
export interface MediaContext {
  readonly io: PacketIo;
  readonly random: Random;
  readonly ciphers: SrtpCiphers;
  readonly flows: SteadyFlows;
  /** "rtp-stopped" is told after this much silence. */
  readonly silenceMs: number;
  /** How old a packet may be that came before its leg was connected. Default 200. */
  readonly earlyMs?: number | undefined;
  emit(event: MediaEvent): void;
  /** Epoch milliseconds (with fraction) at an instant of the monotonic clock. */
  wallAt(now: number): number;
}
