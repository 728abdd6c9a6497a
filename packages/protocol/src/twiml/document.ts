/** Where an element's start tag begins; both count from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A finding that leaves the document readable; codes are Twilio's. */
export interface TwimlIssue extends Position {
  readonly code: number;
  readonly level: "warning" | "error";
  readonly message: string;
}

/** Why a document cannot be carried out at all; codes are Twilio's. */
export interface TwimlError extends Position {
  readonly code: TwimlErrorCode;
  readonly message: string;
}

/** 11750 too large, 11770 empty, 12100 not XML, 12101 not XML 1.0, 12102 root is not `Response`. */
export type TwimlErrorCode = 11750 | 11770 | 12100 | 12101 | 12102;

/** What every verb and noun has. */
export interface Node extends Position {
  /** Set when the element cannot be carried out; it is also among the document's issues. Report it, go on. */
  readonly fault?: TwimlIssue;
}

export type HttpMethod = "GET" | "POST";
export type SiprecTrack = "inbound_track" | "outbound_track" | "both_tracks";

/** `<Dial>`: calls the nouns, all at once or one after the other. Text without a noun is one `Number`. */
export interface Dial extends Node {
  readonly verb: "Dial";
  readonly nouns: readonly DialNoun[];
  readonly action: string | undefined;
  readonly method: HttpMethod;
  /** Seconds until an unanswered attempt ends. */
  readonly timeout: number;
  /** Seconds the bridged call may last; Twilio's default is four hours. */
  readonly timeLimit: number;
  readonly callerId: string | undefined;
  readonly answerOnBridge: boolean;
  readonly hangupOnStar: boolean;
  readonly sequential: boolean;
  readonly ringTone: string | undefined;
  readonly record: DialRecord;
}

export type DialRecord =
  | "do-not-record"
  | "record-from-answer"
  | "record-from-ringing"
  | "record-from-answer-dual"
  | "record-from-ringing-dual";

export type DialNoun = DialNumber | DialSip;

/** What a noun of `<Dial>` says about its own leg. */
export interface DialLeg extends Node {
  /** Document to run on the callee's leg before it is bridged. */
  readonly url: string | undefined;
  readonly method: HttpMethod;
  readonly statusCallback: string | undefined;
  readonly statusCallbackMethod: HttpMethod;
  readonly statusCallbackEvents: readonly StatusCallbackEvent[];
}

export type StatusCallbackEvent = "initiated" | "ringing" | "answered" | "completed";

export interface DialNumber extends DialLeg {
  readonly noun: "Number";
  /** As written, white space around it removed. */
  readonly number: string;
  /** DTMF to send once answered: digits, `*`, `#`, `A`–`D`, `w` for half a second's wait, `W` for a second's. */
  readonly sendDigits: string | undefined;
}

export interface DialSip extends DialLeg {
  readonly noun: "Sip";
  /** `sip:` or `sips:` URI with its parameters and headers, as written. */
  readonly uri: string;
  readonly username: string | undefined;
  readonly password: string | undefined;
}

/** `<Play>`: a WAV by URL, or DTMF digits. */
export interface Play extends Node {
  readonly verb: "Play";
  /** Empty when `digits` is set. */
  readonly url: string;
  readonly digits: string | undefined;
  /** Times to play; 0 is without end. */
  readonly loop: number;
}

/** `<Say>`: text to speak. */
export interface Say extends Node {
  readonly verb: "Say";
  /** All text inside, SSML elements flattened, white space collapsed. */
  readonly text: string;
  readonly voice: string | undefined;
  readonly language: string | undefined;
  /** Times to speak; 0 is without end. */
  readonly loop: number;
}

/** `<Pause>`. */
export interface Pause extends Node {
  readonly verb: "Pause";
  /** Seconds. */
  readonly length: number;
}

/** `<Hangup>`. */
export interface Hangup extends Node {
  readonly verb: "Hangup";
}

/** `<Reject>`: refuses a call that was not answered yet. */
export interface Reject extends Node {
  readonly verb: "Reject";
  readonly reason: "rejected" | "busy";
}

/** `<Redirect>`: go on with the document at `url`, which may be relative to this one. */
export interface Redirect extends Node {
  readonly verb: "Redirect";
  readonly url: string;
  readonly method: HttpMethod;
}

/** `<Start>`: begins its nouns and goes on at once. */
export interface Start extends Node {
  readonly verb: "Start";
  readonly nouns: readonly Siprec[];
}

/** `<Stop>`: ends what a `Start` or the REST API began under that name. */
export interface Stop extends Node {
  readonly verb: "Stop";
  readonly nouns: readonly Siprec[];
}

/** `<Siprec>` inside `Start` or `Stop`; inside `Stop` only `name` and `status` count. */
export interface Siprec extends Node {
  readonly noun: "Siprec";
  readonly name: string | undefined;
  /** Empty inside `Stop`. */
  readonly connectorName: string;
  readonly track: SiprecTrack;
  /** Ours: name of the edge that the session leaves from; absent: as the connector says. */
  readonly edge: string | undefined;
  /**
   * Ours, in the words of the REST interface: what the live fork of that name shall be. `paused` inside `Stop` pauses
   * it, `in-progress` inside `Start` resumes it; absent: it ends, or another one begins.
   */
  readonly status: "paused" | "in-progress" | undefined;
  readonly statusCallback: string | undefined;
  readonly statusCallbackMethod: HttpMethod;
  readonly parameters: readonly TwimlParameter[];
}

export interface TwimlParameter extends Position {
  readonly name: string;
  readonly value: string;
}

/** An element that is no verb this platform carries out; an issue says so. */
export interface UnknownVerb extends Node {
  readonly verb: "unknown";
  readonly name: string;
}

export type Verb = Dial | Play | Say | Pause | Hangup | Reject | Redirect | Start | Stop | UnknownVerb;

export interface TwimlDocument {
  /** In the order of the document. */
  readonly verbs: readonly Verb[];
  readonly issues: readonly TwimlIssue[];
}

export interface TwimlOptions {
  /** The charset parameter of the Content-Type: beats the XML declaration. */
  readonly charset?: string | undefined;
  /** Which tracks a `Siprec` without `track` forks. Default: both. */
  readonly defaultSiprecTrack?: SiprecTrack;
  readonly limits?: Partial<TwimlLimits>;
}

export interface TwimlLimits {
  /** Octets of the document (Twilio: 64 kB). */
  readonly maxBytes: number;
  readonly maxDepth: number;
  readonly maxElements: number;
  readonly maxAttributes: number;
}

export const TWIML_LIMITS: TwimlLimits = {
  maxBytes: 65_536,
  maxDepth: 16,
  maxElements: 2_000,
  maxAttributes: 64,
};
