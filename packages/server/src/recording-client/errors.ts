import { type Fault, PlatformError } from "../observe/index.ts";

/** No such call, and there never was one in this account. */
export class UnknownCallError extends PlatformError {
  override readonly name = "UnknownCallError";
  readonly code = "SIPREC_CALL_UNKNOWN";
  readonly fault: Fault = "caller";
  override readonly httpStatus = 404;
  override readonly publicCode = 20404;
}

/** The call is over: nothing can be forked any more. */
export class CallOverError extends PlatformError {
  override readonly name = "CallOverError";
  readonly code = "SIPREC_CALL_OVER";
  readonly fault: Fault = "caller";
  override readonly httpStatus = 400;
  override readonly publicCode = 21220;
}

/** The call has no fork of that SID or name. */
export class UnknownSiprecError extends PlatformError {
  override readonly name = "UnknownSiprecError";
  readonly code = "SIPREC_UNKNOWN";
  readonly fault: Fault = "caller";
  override readonly httpStatus = 404;
  override readonly publicCode = 20404;
}

/** The fork has ended: it can be neither paused nor resumed. */
export class SiprecOverError extends PlatformError {
  override readonly name = "SiprecOverError";
  readonly code = "SIPREC_OVER";
  readonly fault: Fault = "caller";
  override readonly httpStatus = 400;
  override readonly publicCode = 21220;
}

export class InvalidTrackError extends PlatformError {
  override readonly name = "InvalidTrackError";
  readonly code = "SIPREC_TRACK_INVALID";
  readonly fault: Fault = "caller";
  override readonly httpStatus = 400;
  override readonly publicCode = 31941;
}

/** connectorName is missing, or the account has no connector of that name. */
export class UnknownConnectorError extends PlatformError {
  override readonly name = "UnknownConnectorError";
  readonly code = "SIPREC_CONNECTOR_UNKNOWN";
  readonly fault: Fault = "caller";
  override readonly httpStatus = 400;
  override readonly publicCode = 31940;
}

/** The connector exists, but no recorder can be called with what it holds. */
export class UnusableConnectorError extends PlatformError {
  override readonly name = "UnusableConnectorError";
  readonly code = "SIPREC_CONNECTOR_UNUSABLE";
  readonly fault: Fault = "operator";
  override readonly httpStatus = 400;
  override readonly publicCode = 31942;
}

/** No edge of that name is configured on this node. */
export class UnknownEdgeError extends PlatformError {
  override readonly name = "UnknownEdgeError";
  readonly code = "SIPREC_EDGE_UNKNOWN";
  readonly fault: Fault = "caller";
  override readonly httpStatus = 400;
  override readonly publicCode = 11241;
}

/** A live fork of this call has that name already; names are how `<Stop>` finds them. */
export class NameTakenError extends PlatformError {
  override readonly name = "NameTakenError";
  readonly code = "SIPREC_NAME_TAKEN";
  readonly fault: Fault = "caller";
  override readonly httpStatus = 409;
  override readonly publicCode = 20409;
}

/** The call has as many forked streams as it may have; both_tracks takes two. */
export class StreamLimitError extends PlatformError {
  override readonly name = "StreamLimitError";
  readonly code = "SIPREC_STREAM_LIMIT";
  readonly fault: Fault = "caller";
  override readonly httpStatus = 400;
  override readonly publicCode = 31960;
}

/** Custom parameters, or the name: too many, too long, or with characters that no document can carry. */
export class InvalidParametersError extends PlatformError {
  override readonly name = "InvalidParametersError";
  readonly code = "SIPREC_PARAMETERS_INVALID";
  readonly fault: Fault = "caller";
  override readonly httpStatus = 400;
  override readonly publicCode = 20422;
}

/** The node is about to stop: no new forks. */
export class ClientStoppingError extends PlatformError {
  override readonly name = "ClientStoppingError";
  readonly code = "SIPREC_STOPPING";
  readonly fault: Fault = "operator";
  override readonly httpStatus = 503;
  override readonly publicCode = 20503;
}
