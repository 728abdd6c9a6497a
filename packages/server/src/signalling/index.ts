export type { SipUserAgent, UserAgentOptions } from "./options.ts";
export type {
  DialogAnswer,
  DialogEnd,
  DialogHandlers,
  DialogRequestOptions,
  HeaderLine,
  IncomingInvite,
  IncomingInviteHandlers,
  InviteFailure,
  InviteOptions,
  OutgoingInvite,
  OutgoingInviteHandlers,
  ReceivedPart,
  ReinviteOptions,
  SipBody,
  SipDialog,
  TraceEvent,
  UserAgent,
  UserAgentHandlers,
} from "./types.ts";
export { createUserAgent } from "./user-agent.ts";
