import { PlatformError } from "../observe/index.ts";

/** The number or URI to call cannot be read. */
export class InvalidAddressError extends PlatformError {
  override readonly name = "InvalidAddressError";
  readonly code = "CALL_INVALID_ADDRESS";
  readonly fault = "caller";
  override readonly sipStatus = 484;
  override readonly httpStatus = 400;
  override readonly publicCode = 21211;
}

/** No trunk of the account says where calls to numbers go. */
export class NoTrunkError extends PlatformError {
  override readonly name = "NoTrunkError";
  readonly code = "CALL_NO_TRUNK";
  readonly fault = "operator";
  override readonly sipStatus = 404;
  override readonly httpStatus = 400;
  override readonly publicCode = 32010; // Twilio: the trunk has no origination URI
}

/** As many calls are live as the configuration allows. */
export class TooManyCallsError extends PlatformError {
  override readonly name = "TooManyCallsError";
  readonly code = "CALL_LIMIT_REACHED";
  readonly fault = "operator";
  override readonly sipStatus = 503;
  override readonly httpStatus = 429;
  override readonly publicCode = 10004;
}

/** The node is about to stop: live calls go on, new ones are refused. */
export class DrainingError extends PlatformError {
  override readonly name = "DrainingError";
  readonly code = "CALL_DRAINING";
  readonly fault = "operator";
  override readonly sipStatus = 503;
  override readonly httpStatus = 503;
  override readonly publicCode = 20503;
}

/** A peer's session description cannot be read, or is not where one is owed. */
export class BadDescriptionError extends PlatformError {
  override readonly name = "BadDescriptionError";
  readonly code = "CALL_BAD_DESCRIPTION";
  readonly fault = "peer";
  override readonly sipStatus = 488;
  override readonly httpStatus = 400;
  override readonly publicCode = 32102;
}

/** The two sides share no codec, or none that we can speak ourselves when we have to. */
export class NoCommonCodecError extends PlatformError {
  override readonly name = "NoCommonCodecError";
  readonly code = "CALL_NO_COMMON_CODEC";
  readonly fault = "peer";
  override readonly sipStatus = 488; // RFC 3261 §21.4.26
  override readonly httpStatus = 400;
  override readonly publicCode = 32102;
}

/** The call was over before what was asked for could be done. */
export class CallEndedError extends PlatformError {
  override readonly name = "CallEndedError";
  readonly code = "CALL_ENDED";
  readonly fault = "caller";
  override readonly sipStatus = 481;
  override readonly httpStatus = 400;
  override readonly publicCode = 21220;
}

/** Encrypted media was asked for over a transport that would show its keys (RFC 4568 §8). */
export class SecureMediaError extends PlatformError {
  override readonly name = "SecureMediaError";
  readonly code = "CALL_SECURE_UNSUPPORTED";
  readonly fault = "operator";
  override readonly sipStatus = 488;
  override readonly httpStatus = 400;
  override readonly publicCode = 32207;
}

/** The call came with no hop left: it may be answered here, but not be passed on (RFC 3261 §16.3 step 3). */
export class TooManyHopsError extends PlatformError {
  override readonly name = "TooManyHopsError";
  readonly code = "CALL_TOO_MANY_HOPS";
  readonly fault = "peer";
  override readonly sipStatus = 483;
  override readonly httpStatus = 400;
  override readonly publicCode = 32011; // Twilio: error communicating with your SIP infrastructure
}
