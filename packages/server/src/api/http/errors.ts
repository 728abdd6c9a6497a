import { type Fault, PlatformError } from "../../observe/index.ts";

/** Something is wrong with a request: whoever sent it can do better. */
abstract class RequestError extends PlatformError {
  readonly fault: Fault = "caller";
}

/** 401: no credentials, or wrong ones. Which part is wrong is not told. */
export class UnauthorizedError extends RequestError {
  override readonly name = "UnauthorizedError";
  readonly code = "API_UNAUTHORIZED";
  override readonly httpStatus: number = 401;
  override readonly publicCode: number = 20003;
  constructor() {
    super("Authenticate");
  }
}

/** 403: the credentials are good, but not for this. */
export class ForbiddenError extends RequestError {
  override readonly name = "ForbiddenError";
  readonly code = "API_FORBIDDEN";
  override readonly httpStatus: number = 403;
  override readonly publicCode: number = 20403;
}

/** 404: nothing of that name, or not in that account. */
export class NotFoundError extends RequestError {
  override readonly name = "NotFoundError";
  readonly code = "API_NOT_FOUND";
  override readonly httpStatus: number = 404;
  override readonly publicCode: number = 20404;
  constructor(path: string) {
    super(`The requested resource ${path.slice(0, 512)} was not found`);
  }
}

/** 405: the resource is there, the method is not. */
export class MethodNotAllowedError extends RequestError {
  override readonly name = "MethodNotAllowedError";
  readonly code = "API_METHOD_NOT_ALLOWED";
  override readonly httpStatus: number = 405;
  override readonly publicCode: number = 20004;
  readonly allowed: readonly string[];
  constructor(allowed: readonly string[]) {
    super(`Method not allowed; this resource has ${allowed.join(", ")}`);
    this.allowed = allowed;
  }
}

/** 400: a parameter is missing or wrong. Its public code is the parameter's own: 21201, 31941 … */
export class ParameterError extends RequestError {
  override readonly name = "ParameterError";
  readonly code = "API_INVALID_PARAMETER";
  override readonly httpStatus: number = 400;
  override readonly publicCode: number;
  constructor(publicCode: number, message: string) {
    super(message);
    this.publicCode = publicCode;
  }
}

/** 400: the state of the call does not allow it. */
export class CallStateError extends RequestError {
  override readonly name = "CallStateError";
  readonly code = "API_CALL_STATE";
  override readonly httpStatus: number = 400;
  override readonly publicCode: number = 21220;
}

/** 409: what is still going on cannot be deleted. */
export class NotCompleteError extends RequestError {
  override readonly name = "NotCompleteError";
  readonly code = "API_NOT_COMPLETE";
  override readonly httpStatus: number = 409;
  override readonly publicCode: number = 20009;
}

/** 409: the recording is over, or as many listen to it as may. */
export class StreamStateError extends RequestError {
  override readonly name = "StreamStateError";
  readonly code = "API_STREAM_STATE";
  override readonly httpStatus: number = 409;
  override readonly publicCode: number = 20409;
}

/** 400: the body is not what its Content-Type says, or holds too much. */
export class MalformedRequestError extends RequestError {
  override readonly name = "MalformedRequestError";
  readonly code = "API_MALFORMED_REQUEST";
  override readonly httpStatus: number = 400;
  override readonly publicCode: number = 98002;
}

/** 415: neither a form nor JSON. */
export class MediaTypeError extends RequestError {
  override readonly name = "MediaTypeError";
  readonly code = "API_MEDIA_TYPE";
  override readonly httpStatus: number = 415;
  override readonly publicCode: number = 98003;
  constructor() {
    super("The body must be application/x-www-form-urlencoded or application/json");
  }
}

/** 413 */
export class BodyTooLargeError extends RequestError {
  override readonly name = "BodyTooLargeError";
  readonly code = "API_BODY_TOO_LARGE";
  override readonly httpStatus: number = 413;
  override readonly publicCode: number = 20413;
  constructor(limit: number) {
    super(`The body is larger than ${limit} octets`);
  }
}

/** 416: no octet of the asked range is there. */
export class RangeNotSatisfiableError extends RequestError {
  override readonly name = "RangeNotSatisfiableError";
  readonly code = "API_RANGE";
  override readonly httpStatus: number = 416;
  override readonly publicCode: number = 98004;
  readonly length: number;
  constructor(length: number) {
    super(`The range lies outside of the ${length} octets that there are`);
    this.length = length;
  }
}

/** 429: too many requests, or too many wrong credentials from one address. */
export class TooManyRequestsError extends RequestError {
  override readonly name = "TooManyRequestsError";
  readonly code = "API_TOO_MANY_REQUESTS";
  override readonly httpStatus: number = 429;
  override readonly publicCode: number = 20429;
  readonly retryAfterSeconds: number;
  constructor(retryAfterSeconds: number) {
    super("Too many requests");
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** 500: nobody expected this; `cause` is for the log. */
export class InternalError extends PlatformError {
  override readonly name = "InternalError";
  readonly code = "API_INTERNAL";
  readonly fault: Fault = "bug";
}
