import { PlatformError } from "../observe/index.ts";

/** A recording in progress was to be deleted. */
export class RecordingInProgressError extends PlatformError {
  override readonly name = "RecordingInProgressError";
  readonly code = "RECORDING_IN_PROGRESS";
  readonly fault = "caller";
  override readonly httpStatus = 409;
  override readonly publicCode = 20409;
}

/** Audio was asked for, and is there only in a codec that nothing here decodes. */
export class AudioNotDecodedError extends PlatformError {
  override readonly name = "AudioNotDecodedError";
  readonly code = "AUDIO_NOT_DECODED";
  readonly fault = "operator";
  override readonly httpStatus = 409;
  override readonly publicCode = 20409;
}

/** Why an INVITE, re-INVITE or UPDATE is turned down: what the peer is told, and a word for metrics. */
export interface Refusal {
  readonly status: number;
  /** Reason phrase, and text of the Warning header field (RFC 3261 §20.43). */
  readonly message: string;
  /** A stable word: `address`, `limit`, `description` … */
  readonly reason: string;
  readonly retryAfterSeconds?: number;
  /** Header fields of the answer, besides Retry-After and Warning. */
  readonly headers?: readonly (readonly [name: string, value: string])[];
}

/** What is kept of a recording is not what was written: changed, cut short, moved, or sealed with another key. */
export class RecordingDamagedError extends PlatformError {
  override readonly name = "RecordingDamagedError";
  readonly code = "RECORDING_DAMAGED";
  readonly fault = "operator";
}

/** Object storage cannot be reached, refuses, or does not hold what was put there. */
export class ObjectStoreError extends PlatformError {
  override readonly name = "ObjectStoreError";
  readonly code = "OBJECT_STORE_FAILED";
  readonly fault = "operator";
  override readonly httpStatus = 503;
  override readonly publicCode = 20503;
  /** What the storage answered, in HTTP; undefined: nothing. */
  readonly status: number | undefined;

  constructor(
    message: string,
    options: { readonly cause?: unknown; readonly status?: number | undefined } = {},
  ) {
    super(message, options);
    this.status = options.status;
  }
}

/** A signed vCon was asked for, and the node has no key and certificate that can sign it. */
export class VconNotSignableError extends PlatformError {
  override readonly name = "VconNotSignableError";
  readonly code = "VCON_NOT_SIGNABLE";
  readonly fault = "operator";
  override readonly httpStatus = 409;
  override readonly publicCode = 98023;
}

/** Audio was to be carried in a vCon, and is too long for that. */
export class VconTooLargeError extends PlatformError {
  override readonly name = "VconTooLargeError";
  readonly code = "VCON_TOO_LARGE";
  readonly fault = "caller";
  override readonly httpStatus = 409;
  override readonly publicCode = 98024;
}

/** A recording under legal hold was to be deleted. */
export class RecordingHeldError extends PlatformError {
  override readonly name = "RecordingHeldError";
  readonly code = "RECORDING_HELD";
  readonly fault = "caller";
  override readonly httpStatus = 409;
  override readonly publicCode = 98022;
}
