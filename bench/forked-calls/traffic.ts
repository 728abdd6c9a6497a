/** What the generator is asked for, and what it tells at the end. Sent over the process channel as JSON. */
export interface TrafficOrder {
  readonly kind: "run";
  /** Ports of the device under test, for each call: where party A and where party B send to. */
  readonly calls: readonly { readonly a: number; readonly b: number }[];
  /** "spread": packets leave evenly over 20 ms. "burst": all streams at once, every 20 ms. */
  readonly pattern: "spread" | "burst";
  readonly warmUpMs: number;
  readonly measureMs: number;
}

/** The generator's own ports: RTP of all parties, RTP of the recorder; RTCP goes to the port above each. */
export interface GeneratorReady {
  readonly kind: "ready";
  readonly partyPort: number;
  readonly sinkPort: number;
}

export interface MeasureBegins {
  readonly kind: "begin";
}

export interface MeasureEnds {
  readonly kind: "end";
}

export interface TrafficReport {
  readonly kind: "report";
  readonly sent: number;
  /** What the schedule asked for in the same time. */
  readonly scheduled: number;
  readonly relayed: number;
  readonly forked: number;
  /** Packets whose content or way was not what it should be, of those looked at. */
  readonly wrong: number;
  readonly sampled: number;
  readonly relayP50Ms: number;
  readonly relayP99Ms: number;
  /** How late the generator itself was, at worst. */
  readonly worstLagMs: number;
}

export type GeneratorMessage = GeneratorReady | MeasureBegins | MeasureEnds | TrafficReport;

export const PACKET_MS = 20;
export const PAYLOAD_BYTES = 160;
