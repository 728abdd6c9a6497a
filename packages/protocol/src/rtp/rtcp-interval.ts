/** What the interval depends on (RFC 3550 §6.3.1, appendix A.7). */
export interface RtcpIntervalInput {
  /** Sources in the RTP session, ourselves included. */
  readonly members: number;
  readonly senders: number;
  readonly weSent: boolean;
  /** For RTCP as a whole, in octets a second: 5 % of the session's bandwidth. */
  readonly rtcpOctetsPerSecond: number;
  /** Average size of compound packets, lower-layer headers included, in octets. */
  readonly averageSizeOctets: number;
  /** No packet has been sent yet: the minimum is halved. */
  readonly initial: boolean;
  /** From 0 to 1, 1 excluded. */
  readonly random: number;
}

const MINIMUM_MS = 5000;
/** "e − 3/2": compensates for the timer reconsideration converging below the average intended (RFC 3550 §6.3.1). */
const COMPENSATION = Math.E - 1.5;

/** Milliseconds from one RTCP packet to the next: 0.5 to 1.5 times the deterministic interval, divided by e − 3/2. */
export function rtcpIntervalMs(input: RtcpIntervalInput): number {
  return (deterministicRtcpIntervalMs(input) * (input.random + 0.5)) / COMPENSATION;
}

/** "Td" without randomness: what time-outs are counted in (five of them: RFC 3550 §6.3.5). */
export function deterministicRtcpIntervalMs(input: Omit<RtcpIntervalInput, "random">): number {
  let bandwidth = input.rtcpOctetsPerSecond;
  let count = input.members;
  if (input.senders <= input.members * 0.25) {
    // A quarter of the bandwidth is for the senders, the rest for the receivers.
    bandwidth *= input.weSent ? 0.25 : 0.75;
    count = input.weSent ? input.senders : input.members - input.senders;
  }
  const minimum = input.initial ? MINIMUM_MS / 2 : MINIMUM_MS;
  if (bandwidth <= 0) return minimum;
  return Math.max(minimum, (1000 * count * input.averageSizeOctets) / bandwidth);
}

/** The running average of RFC 3550 §6.3.3: the newest size weighs one sixteenth. */
export function averageRtcpSize(average: number, sizeOctets: number): number {
  return sizeOctets / 16 + (average * 15) / 16;
}
