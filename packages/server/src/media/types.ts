import type { MessagePort } from "node:worker_threads";
import type { SrtpKeying } from "@callfork/protocol/srtp";

/** A local address that forks leave from when they are told so. */
export interface MediaEdge {
  readonly name: string;
  /** Where sockets are bound, and so the source of packets. */
  readonly bindAddress: string;
  /** What goes into the SDP. */
  readonly advertisedAddress: string;
  /** Even/odd pairs are taken from here; by default from the range of all. */
  readonly ports?: { readonly first: number; readonly last: number } | undefined;
}

/** Names one leg, fork or receiver of the media plane, for its lifetime. */
export type MediaId = number;

export type Direction = "sendrecv" | "sendonly" | "recvonly" | "inactive";

/** One RTP/RTCP port pair that has been opened for us. Goes into the SDP. */
export interface MediaPort {
  readonly id: MediaId;
  /** The advertised address. */
  readonly address: string;
  readonly rtpPort: number;
  readonly rtcpPort: number;
}

export interface MediaTarget {
  readonly address: string;
  readonly rtpPort: number;
  /** The same as `rtpPort`: RTP and RTCP share the ports of both sides (RFC 5761). */
  readonly rtcpPort: number;
  /** Where RTCP goes when that is another machine (RFC 3605). */
  readonly rtcpAddress?: string | undefined;
}

/** A codec as negotiated on one leg. */
export interface LegCodec {
  readonly name: string;
  readonly clockRateHz: number;
  readonly payloadType: number;
}

export interface LegOptions {
  /** All ports of one group live in one worker: the call's SID. */
  readonly group: string;
  /** The far end's address, to pick our own address by the route to it; the configured one where there is none. */
  readonly remoteAddress?: string;
  /**
   * For lines that are neither played to nor forked (video): packets go to the bridged leg as they came, SSRC, payload
   * type and RTCP included. It can be bridged with its like alone.
   */
  readonly isPassage?: boolean;
}

/** Keys of both directions of a secured port pair, for RTP and RTCP. Copied to the worker; never log it. */
export interface MediaSrtp {
  readonly send: SrtpKeying;
  readonly receive: SrtpKeying;
}

/** A tone that a party hears again and again while it is recorded. */
export interface MediaTone {
  readonly frequencyHz: number;
  readonly levelDbm0: number;
  readonly durationMs: number;
  /** From the beginning of one to that of the next. */
  readonly intervalMs: number;
}

/** What a leg's negotiation came to. Replaces what was told before; may be told at any time. */
export interface LegConnection {
  readonly remote: MediaTarget | null;
  /** As seen from us: "sendonly" means we send and expect nothing. */
  readonly direction: Direction;
  /** First is the one we send when we are the source (player). */
  readonly codecs: readonly LegCodec[];
  readonly telephoneEventPayloadType?: number | undefined;
  readonly packetTimeMs?: number | undefined;
  /** Absent: RTP in the clear. The same keys told again change nothing. */
  readonly srtp?: MediaSrtp | undefined;
  /** Mixed into what is sent to the party, relayed or played, where that is G.711. The same one told again goes on. */
  readonly tone?: MediaTone | undefined;
}

export interface BridgeOptions {
  /** Payload type numbers that change from a to b; absent ones pass unchanged. */
  readonly aToB?: ReadonlyMap<number, number>;
  readonly bToA?: ReadonlyMap<number, number>;
}

export interface ForkOptions {
  /** The leg it hangs on. "inbound" is what we receive from that party, "outbound" what we send to it. */
  readonly leg: MediaId;
  readonly track: "inbound" | "outbound";
  readonly remoteAddress?: string;
  /** Name of the `MediaEdge` that copies leave from. */
  readonly edge?: string | undefined;
}

export interface ForkConnection {
  readonly remote: MediaTarget;
  /** Payload type of the leg → payload type of the recorder's answer. Packets of other types are not forwarded. */
  readonly payloadTypes: ReadonlyMap<number, number>;
  readonly clockRateHz: number;
  /** Of payload types of the leg whose clock is another one. Each change of clock makes a new SSRC (RFC 3550 §5.2). */
  readonly clockRatesHz?: ReadonlyMap<number, number>;
  /** Payload types of the leg that the recorder does not take as they are, and what becomes of them. */
  readonly transcodings?: readonly ForkTranscoding[];
  /** Canonical name for SDES (RFC 7022). */
  readonly cname: string;
  /** Absent: RTP in the clear. The same keys told again change nothing. */
  readonly srtp?: MediaSrtp | undefined;
  /**
   * Up to five packets, or 95 ms of them, may wait for each other and leave as one. Default true: recorders do not mind,
   * and it costs half.
   */
  readonly batching?: boolean | undefined;
  /** Nothing is sent for now; what would have been is counted. The stream goes on with its SSRC and its timeline. */
  readonly withhold?: boolean;
}

/** A codec with the number that its packets have on one side. */
export interface ForkCodec extends LegCodec {
  readonly channels?: number;
  /** Of the side that receives it. */
  readonly fmtp?: string;
}

export interface ForkTranscoding {
  /** As the leg has it. */
  readonly from: ForkCodec;
  /** As the recorder takes it. */
  readonly to: ForkCodec;
  /** Default 20. */
  readonly packetTimeMs?: number;
}

/** What a fork's transcoders have done. */
export interface TranscodingStats {
  readonly from: string;
  readonly to: string;
  /** The packets that come now are transcoded. */
  readonly isActive: boolean;
  /** Packets of the leg that were decoded. */
  readonly packets: number;
  /** Those that were no payload of their codec. */
  readonly undecodable: number;
  /** Those that came too late to be put in order, and those that never came. */
  readonly late: number;
  readonly lost: number;
  /** Audio that a decoder made up for losses and short pauses of the source. */
  readonly concealedMs: number;
}

export interface ReceiverOptions {
  readonly group: string;
  readonly remoteAddress?: string;
  /**
   * Batches of received packets go here, off the media thread: see `readReceivedBatch`. Receivers may share one; it
   * stays open when they are closed, until its other end is.
   */
  readonly sink: MessagePort;
  readonly cname: string;
  readonly clockRateHz: number;
}

export interface PlayOptions {
  /** Linear PCM, 8 kHz mono; copied to the worker. */
  readonly samples: Int16Array;
  /** 0: until stopped. */
  readonly loop: number;
  /** Interrupts what is played, which goes on afterwards; `stopPlay` does not end it. */
  readonly isAnnouncement?: boolean;
}

/** Counters of one direction of one stream (RFC 3550). */
export interface StreamStats {
  readonly ssrc: number | null;
  readonly packets: number;
  readonly octets: number;
  /** Extended highest sequence number − first + 1. */
  readonly expected: number;
  readonly lost: number;
  readonly duplicates: number;
  readonly late: number;
  readonly jitterMs: number;
  readonly firstPacketTime: number | null;
  readonly lastPacketTime: number | null;
}

export interface MediaStats {
  readonly received: StreamStats;
  readonly sent: StreamStats;
  /** Packets from strangers, malformed ones, those of a payload type nobody agreed on, and those too long before `connectLeg`. */
  readonly dropped: number;
  /** SRTP and SRTCP packets that were not authentic, came twice, or came in the clear. */
  readonly rejected: number;
  /** Of a fork: packets that were not sent, by `withhold`. */
  readonly withheld?: number;
  /** Of a fork: packets of payload types that are of no use to the recorder, telephone events among them. */
  readonly unforwarded?: number;
  /** Of a fork that has something to transcode. */
  readonly transcoding?: TranscodingStats | undefined;
  /** Of a fork: the recorder has reported on our stream by RTCP, so that `sent.lost` means something. */
  readonly isReported?: boolean;
  /** Of a fork: what one of its packets lasts, as it was last. */
  readonly packetTimeMs?: number;
}

export type MediaEvent =
  /** First valid packet from the peer. */
  | { readonly kind: "rtp-started"; readonly id: MediaId }
  /** Nothing came for `silentMs` although the direction allows it; told once, until packets come again. */
  | { readonly kind: "rtp-stopped"; readonly id: MediaId; readonly silentMs: number }
  /** ICMP said that nobody listens there. */
  | {
      readonly kind: "unreachable";
      readonly id: MediaId;
      /** Of a fork: packets sent before those that nobody took. */
      readonly delivered?: number;
    }
  | {
      readonly kind: "telephone-event";
      readonly id: MediaId;
      readonly digit: string;
      readonly durationMs: number;
    }
  /** A worker died; everything in it is gone. */
  | { readonly kind: "worker-lost"; readonly ids: readonly MediaId[] };

export interface MediaImplementation {
  /** "dgram" or "uring"; others are possible: rtpengine, a test's. */
  readonly io: string;
  readonly workers: number;
  /** Why it is not io_uring, where that was tried. */
  readonly refusal?: string | undefined;
}

/**
 * The media plane: relays, forks, plays and receives RTP in worker threads; this is its face in the main thread.
 * Commands to one id are carried out in the order given. Commands to an id that is gone are ignored.
 */
export interface MediaPlane {
  /**
   * RTP may come from now on: its last 200 ms wait until the leg is connected and, where that follows at once, bridged;
   * then they are dealt with in order, as if they had just come.
   */
  openLeg(options: LegOptions): Promise<MediaPort>;
  connectLeg(leg: MediaId, connection: LegConnection): void;
  /** Relays RTP and RTCP both ways between two legs of one group. */
  bridge(a: MediaId, b: MediaId, options?: BridgeOptions): void;
  unbridge(a: MediaId): void;
  /** Sends audio to the leg's party, in its first codec (PCMU or PCMA), paced by packet time. Resolves at the end, `false` when stopped. */
  play(leg: MediaId, options: PlayOptions): Promise<boolean>;
  stopPlay(leg: MediaId): void;
  openFork(options: ForkOptions): Promise<MediaPort>;
  /** Copies flow from the next packet on, with an SSRC, sequence and timestamp space of the fork's own. */
  startFork(fork: MediaId, connection: ForkConnection): void;
  openReceiver(options: ReceiverOptions): Promise<MediaPort>;
  /** Tells whom to expect packets from and where RTCP reports go. */
  connectReceiver(
    receiver: MediaId,
    remote: MediaTarget | null,
    payloadTypes: readonly number[],
    srtp?: MediaSrtp | undefined,
  ): void;
  stats(id: MediaId): Promise<MediaStats | undefined>;
  /** Stops, sends RTCP BYE where we were a source, frees the ports (after their drain time). Returns the final counters. */
  close(id: MediaId): Promise<MediaStats | undefined>;
  onEvent(id: MediaId, handler: (event: MediaEvent) => void): void;
  /** Which implementation carries packets, and how many workers. */
  readonly implementation: MediaImplementation;
  stop(): Promise<void>;
}
