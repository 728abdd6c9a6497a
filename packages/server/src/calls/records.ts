import type { HttpMethod } from "./callbacks.ts";
import type { PeerCertificate } from "./peer-certificate.ts";

export type CallStatus =
  | "queued"
  | "ringing"
  | "in-progress"
  | "completed"
  | "busy"
  | "failed"
  | "no-answer"
  | "canceled";

export type CallDirection = "inbound" | "outbound-api" | "outbound-dial";

/** A call as the store keeps it and the REST interface shows it. Times: epoch milliseconds. */
export interface CallRecord {
  readonly sid: string;
  readonly accountSid: string;
  readonly parentCallSid: string | null;
  readonly from: string;
  readonly to: string;
  readonly callerName: string | null;
  readonly direction: CallDirection;
  readonly status: CallStatus;
  readonly phoneNumberSid: string | null;
  readonly trunkSid: string | null;
  /** Call-ID of the leg's dialog. */
  readonly sipCallId: string | null;
  /** The last final SIP status of the leg, for SipResponseCode. */
  readonly sipStatus: number | null;
  readonly dateCreated: number;
  readonly dateUpdated: number;
  /** When it was answered. */
  readonly startTime: number | null;
  readonly endTime: number | null;
  /** Who is to be told of its end, also when this process does not live to see it; none once that is told. */
  readonly reporting?: CallReporting | null;
}

/** Where the progress of a call is told, and how far that has come. */
export interface CallReporting {
  readonly url: string;
  readonly method: HttpMethod;
  /** initiated, ringing, answered, completed. Empty: `completed` alone, as Twilio does. */
  readonly events: readonly string[];
  /** What an inbound call's webhooks also carry. */
  readonly sip: readonly (readonly [name: string, value: string])[];
  /** Number of the next callback. */
  readonly sequence: number;
}

/** How parties that do not show `a=record` by themselves hear that they are recorded. `none`: their contract says it. */
export type RecordingNotice = "none" | "tone" | "announcement";

/** A number (or any dialled user) and what happens when it is called. */
export interface NumberRecord {
  readonly sid: string;
  readonly accountSid: string;
  /** E.164, an extension, or the user part of a SIP URI. */
  readonly phoneNumber: string;
  readonly friendlyName: string;
  readonly voiceUrl: string | null;
  readonly voiceMethod: HttpMethod;
  readonly voiceFallbackUrl: string | null;
  readonly voiceFallbackMethod: HttpMethod;
  /** Inline document; wins over no URL, loses to `voiceUrl`. */
  readonly voiceTwiml: string | null;
  readonly statusCallback: string | null;
  readonly statusCallbackMethod: HttpMethod;
  /** Null: as the settings say for all. */
  readonly recordingNotice?: RecordingNotice | null;
  /** A WAV or MP3 of its own; null: that of the settings. */
  readonly recordingAnnouncementUrl?: string | null;
  readonly dateCreated: number;
  readonly dateUpdated: number;
}

/** Who may send calls in, and where calls go out. */
export interface TrunkRecord extends PeerCertificate {
  readonly sid: string;
  readonly accountSid: string;
  readonly uniqueName: string;
  /** Where calls to numbers go; null: inbound only. */
  readonly sipUri: string | null;
  /** Addresses or CIDR ranges that may send calls. */
  readonly allowedAddresses: readonly string[];
  /** SIP domains, as `readCertificateName` writes them: who shows a certificate for one of them over TLS may send calls. */
  readonly allowedCertificateNames: readonly string[];
  readonly username: string | null;
  /** Decrypted; never leaves the process. */
  readonly password: string | null;
  readonly dateCreated: number;
  readonly dateUpdated: number;
}

export type SiprecTrack = "inbound_track" | "outbound_track" | "both_tracks";

/** One fork of a call to a connector: the SR… resource. */
export interface SiprecRecord {
  readonly sid: string;
  readonly accountSid: string;
  readonly callSid: string;
  readonly name: string | null;
  readonly connectorName: string;
  readonly track: SiprecTrack;
  /** `paused` is ours: nothing is recorded until it is resumed. */
  readonly status: "in-progress" | "paused" | "stopped";
  readonly statusCallback: string | null;
  readonly statusCallbackMethod: HttpMethod;
  readonly parameters: readonly { readonly name: string; readonly value: string }[];
  /** The recorder that answered. */
  readonly recorderUri: string | null;
  readonly errorCode: number | null;
  readonly errorMessage: string | null;
  readonly dateCreated: number;
  readonly dateUpdated: number;
  /** When the recorder answered. */
  readonly startTime: number | null;
  readonly endTime: number | null;
  readonly detail: SiprecDetail;
}

/** What happened to a fork, in order and with times. Times: epoch milliseconds. */
export interface SiprecDetail {
  /** Recorders that were called; the last 50. */
  readonly attempts: readonly SiprecAttempt[];
  /** Spans that somebody wanted left out; the last 200. */
  readonly pauses: readonly SiprecSpan[];
  /** Spans that are missing against everybody's will, between one recorder and the next; the last 200. */
  readonly gaps: readonly SiprecGap[];
  /** What was sent, over all recorders; as of the last change while the fork lives. */
  readonly tracks: readonly SiprecTrackReport[];
  /** Whether its connector's policy was that the call has to be recorded. */
  readonly policy: "optional" | "mandatory";
  /** `recorder`: nobody here asked for it, the recorder called. */
  readonly startedBy: "platform" | "recorder";
  /** Forks that came with it, to other connectors; they are stopped, paused and resumed with it. */
  readonly parallel: readonly string[];
  /** The fork that it came with. */
  readonly parallelOf: string | null;
}

/** Open while `until` is null. */
export interface SiprecSpan {
  readonly from: number;
  readonly until: number | null;
}

export interface SiprecGap extends SiprecSpan {
  /** Packets of all tracks that were not sent, or sent to nobody. */
  readonly packets: number;
  readonly reason: string;
}

export interface SiprecAttempt {
  readonly recorder: string;
  readonly time: number;
  readonly result: "answered" | "failed";
  readonly sipStatus: number | null;
  /** From docs/errors.md. */
  readonly errorCode: number | null;
  readonly reason: string | null;
  /** Call-ID of the recording session, where there was one: the recorder knows it by that. */
  readonly callId?: string;
}

export interface SiprecTrackReport {
  readonly label: string;
  readonly codec: string | null;
  /** SRTP suite; null: sent in the clear. */
  readonly encryption: string | null;
  readonly packets: number;
  readonly octets: number;
  /** What the recorder's RTCP reports as lost; null until it has reported. */
  readonly lost: number | null;
  /** Null, or absent in older rows: the call's packets pass as they are. */
  readonly transcoded?: SiprecTranscoding | null;
}

/** `codec` is not the call's: what has been transcoded, and what the call's network did to it before. */
export interface SiprecTranscoding {
  /** The call's codec. */
  readonly from: string;
  /** Packets of the call that were decoded. */
  readonly packets: number;
  /** Those that never came, came too late to be put in order, or were none of the codec. */
  readonly lost: number;
  readonly late: number;
  readonly undecodable: number;
  /** Audio made up for short holes. */
  readonly concealedMs: number;
}

export const NO_SIPREC_DETAIL: SiprecDetail = {
  attempts: [],
  pauses: [],
  gaps: [],
  tracks: [],
  policy: "optional",
  startedBy: "platform",
  parallel: [],
  parallelOf: null,
};
