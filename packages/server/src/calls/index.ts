export type { CallbackRequest, HttpMethod } from "./callbacks.ts";
export type {
  CallControl,
  CallParty,
  CallStore,
  Calls,
  CallTap,
  DialOptions,
  DialResult,
  DialTarget,
  Director,
  DocumentSource,
  Forks,
  PlaceCall,
  SiprecStart,
} from "./ports.ts";
export type {
  CallDirection,
  CallRecord,
  CallStatus,
  NumberRecord,
  SiprecRecord,
  SiprecTrack,
  TrunkRecord,
} from "./records.ts";
