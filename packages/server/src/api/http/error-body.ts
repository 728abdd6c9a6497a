import { PlatformError } from "../../observe/index.ts";
import {
  BodyTooLargeError,
  MalformedRequestError,
  MediaTypeError,
  MethodNotAllowedError,
  RangeNotSatisfiableError,
  TooManyRequestsError,
  UnauthorizedError,
} from "./errors.ts";

/** The error body of Twilio's REST interface. */
export interface ErrorBody {
  readonly code: number;
  readonly message: string;
  readonly more_info: string;
  readonly status: number;
  readonly detail?: string;
}

/** Codes that Twilio does not have: they are explained in our own table. */
const OWN_CODES = { first: 98000, last: 98999 };

export function moreInfo(code: number): string {
  return code >= OWN_CODES.first && code <= OWN_CODES.last
    ? `docs/errors.md#${code}`
    : `https://www.twilio.com/docs/errors/${code}`;
}

export function errorBody(error: PlatformError): ErrorBody {
  const { publicCode: code, httpStatus: status } = error;
  // Faults of ours are for the log; their texts may name files, hosts and statements.
  const ours = status >= 500 && error.fault !== "caller";
  const message = ours
    ? status === 503
      ? "Service unavailable, try again"
      : "Internal server error"
    : error.message;
  // As Twilio: only the 401 has a detail, an empty one.
  return { code, ...(status === 401 ? { detail: "" } : {}), message, more_info: moreInfo(code), status };
}

export function errorHeaders(error: PlatformError): Record<string, string> {
  if (error instanceof UnauthorizedError)
    return { "www-authenticate": 'Basic realm="Callfork API", charset="UTF-8"' };
  if (error instanceof MethodNotAllowedError) return { allow: error.allowed.join(", ") };
  if (error instanceof TooManyRequestsError) return { "retry-after": String(error.retryAfterSeconds) };
  if (error instanceof RangeNotSatisfiableError) return { "content-range": `bytes */${error.length}` };
  return {};
}

/** Any error that reached the edge, as one of ours; `undefined` when nobody expected it. */
export function platformErrorOf(error: unknown, bodyBytes: number): PlatformError | undefined {
  if (error instanceof PlatformError) return error;
  const { code, statusCode, message } = error as { code?: string; statusCode?: number; message?: string };
  if (code === "FST_ERR_CTP_BODY_TOO_LARGE") return new BodyTooLargeError(bodyBytes);
  if (code === "FST_ERR_CTP_INVALID_MEDIA_TYPE") return new MediaTypeError();
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return new MalformedRequestError(message ?? "Malformed request");
  return undefined;
}
