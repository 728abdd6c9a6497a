export {
  type Authentication,
  type Authenticator,
  type AuthenticatorOptions,
  createAuthenticator,
  type DigestUser,
} from "./authenticator.ts";
export type { SipUserAgent, TurnedAway, UserAgentOptions } from "./options.ts";
export type { StrangerPolicy } from "./strangers.ts";
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
