import { type Fault, PlatformError } from "../observe/index.ts";

/** An incoming INVITE was answered when it was over already: canceled, expired, refused or answered before. */
export class InviteOverError extends PlatformError {
  override readonly name = "InviteOverError";
  readonly code = "SIP_INVITE_OVER";
  readonly fault: Fault = "caller";
  override readonly sipStatus = 487;
}
