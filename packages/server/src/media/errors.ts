import { type Fault, PlatformError } from "../observe/index.ts";

/** The worker that carried it has died, or the media plane was stopped. */
export class MediaLostError extends PlatformError {
  override readonly name = "MediaLostError";
  readonly code = "MEDIA_LOST";
  readonly fault: Fault = "bug";
  override readonly sipStatus = 503;
  override readonly httpStatus = 503;
}

/** io_uring was asked for, not just hoped for, and the kernel does not let us. */
export class MediaIoError extends PlatformError {
  override readonly name = "MediaIoError";
  readonly code = "MEDIA_IO_UNAVAILABLE";
  readonly fault: Fault = "operator";
  override readonly sipStatus = 503;
  override readonly httpStatus = 503;
}

/** A fork was asked for on a leg that is closed, or never was. */
export class UnknownLegError extends PlatformError {
  override readonly name = "UnknownLegError";
  readonly code = "MEDIA_UNKNOWN_LEG";
  readonly fault: Fault = "caller";
  override readonly sipStatus = 481;
  override readonly httpStatus = 409;
}

/** A port pair could not be bound for another reason than being in use: the address is not ours, no descriptors left. */
export class MediaBindError extends PlatformError {
  override readonly name = "MediaBindError";
  readonly code = "MEDIA_BIND_FAILED";
  readonly fault: Fault = "operator";
  override readonly sipStatus = 503;
  override readonly httpStatus = 503;
}
