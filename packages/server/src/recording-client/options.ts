import type { Random } from "@callfork/protocol/text";
import type { Calls, Forks, SiprecTrack } from "../calls/index.ts";
import type { MediaPlane } from "../media/index.ts";
import type { Clock, SipFlow } from "../net/index.ts";
import type { Alerts, Log } from "../observe/index.ts";
import type { Authenticator, IncomingInvite, UserAgent } from "../signalling/index.ts";
import type { ClientEdge } from "./edges.ts";
import type { ConnectorDirectory, SiprecStore } from "./ports.ts";

export interface RecordingClientOptions {
  readonly calls: Pick<Calls, "tap" | "find">;
  readonly userAgent: Pick<UserAgent, "invite" | "request">;
  readonly media: MediaPlane;
  readonly connectors: ConnectorDirectory;
  readonly store: SiprecStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly alerts: Alerts;
  /** Host of our own URIs, in From: a name or an address, no port. */
  readonly sipHost: string;
  /** Local addresses that sessions can be told to leave from; none by default. */
  readonly edges?: readonly ClientEdge[];
  /** What a `<Siprec>` without `track` forks. */
  readonly defaultTrack: SiprecTrack;
  /** Namespace of `<ExtensionParameters>` in the metadata. */
  readonly extensionNamespace: string;
  /** Asks recorders that call who they are; without it only their addresses and certificates say so. */
  readonly authenticator?: Authenticator;
  /**
   * "The RS … MUST be at least as secure as the CS" (RFC 7866 §12): a call under SRTP and a recorder without
   * `secure=true`. Default "warn": the path to the recorder counts as trusted, and an alert says so.
   */
  readonly unsecuredCopies?: "warn" | "refuse";
  readonly limits?: Partial<RecordingClientLimits>;
  /** Says something to everybody in a call: a URL of audio, or linear PCM at 8 kHz. Without it nothing is said. */
  readonly announce?: (announcement: {
    readonly accountSid: string;
    readonly callSid: string;
    readonly audio: string | Int16Array;
  }) => Promise<void>;
  /** For metrics: a recorder answered; a fork is over. */
  readonly onStarted?: () => void;
  readonly onEnded?: (result: "completed" | "failed" | "lost", wasStarted: boolean) => void;
  /** A recorder of that connector answered, did not, or was lost while it recorded. */
  readonly onAttempt?: (connectorName: string, result: "answered" | "failed" | "lost") => void;
  /** Packets that no recorder of that connector got, between two of them. */
  readonly onMissed?: (connectorName: string, packets: number) => void;
  /** A track begins to be transcoded for its recorder. */
  readonly onTranscoding?: (from: string, to: string) => void;
}

export interface RecordingClientLimits {
  /** Forked streams a call may have at once; both_tracks takes two. Default 4, as Twilio. */
  readonly streamsPerCall: number;
  /** How long one recorder may take to answer. Default 10,000. */
  readonly answerTimeoutMs: number;
  /** Packets of ten seconds that a recorder may report as lost before an alert says so. Default 5. */
  readonly lossAlertPercent: number;
}

/** The room as the composition root sees it. */
export interface RecordingClient extends Forks {
  /** Sets forks to stopped that a dead process left live, with the callbacks that are owed. Call it once, at start. */
  recover(): Promise<void>;
  /**
   * Takes an INVITE of a recorder that wants to record a call: its Request-URI names the call by its SID. Never throws.
   */
  accept(invite: IncomingInvite): void;
  /** Whether an INVITE is one: `siprec` is required and Contact has `+sip.srs` (RFC 7866 §6.1.1). */
  isRecorderInvite(invite: IncomingInvite): boolean;
  /** Whether a peer is a recorder that may call, by its address or certificate, as far as is known without waiting. */
  knows(peer: Pick<SipFlow, "remoteAddress" | "tls">): boolean;
  /** Whether recorders may prove by a password who they are. */
  readonly authenticates: boolean;
  /** Ends every live fork with BYE; resolves when answered or given up. */
  stopAll(): Promise<void>;
  readonly liveCount: number;
}
