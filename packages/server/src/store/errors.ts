import { type Fault, PlatformError } from "../observe/index.ts";

/** A unique name (of a connector, a trunk or a number) is taken. */
export class DuplicateNameError extends PlatformError {
  override readonly name = "DuplicateNameError";
  readonly code = "DUPLICATE_NAME";
  readonly fault: Fault = "caller";
  override readonly httpStatus: number = 409;
  override readonly publicCode: number = 20409;
}

/** The database's thread died, could not be started, or is closed; nothing that was asked is known to be durable. */
export class StoreUnavailableError extends PlatformError {
  override readonly name = "StoreUnavailableError";
  readonly code = "STORE_UNAVAILABLE";
  readonly fault: Fault = "operator";
  override readonly sipStatus: number = 503;
  override readonly httpStatus: number = 503;
  override readonly publicCode: number = 20503;
}

/** More requests wait for the database than we are ready to hold. */
export class StoreOverloadedError extends PlatformError {
  override readonly name = "StoreOverloadedError";
  readonly code = "STORE_OVERLOADED";
  readonly fault: Fault = "operator";
  override readonly sipStatus: number = 503;
  override readonly httpStatus: number = 503;
  override readonly publicCode: number = 20503;
}

/** Another process has the database open. */
export class StoreLockedError extends PlatformError {
  override readonly name = "StoreLockedError";
  readonly code = "STORE_LOCKED";
  readonly fault: Fault = "operator";
}

/** The database was made by a newer version, or a migration failed; it is left as it was. */
export class StoreSchemaError extends PlatformError {
  override readonly name = "StoreSchemaError";
  readonly code = "STORE_SCHEMA";
  readonly fault: Fault = "operator";
}

/** A statement failed for a reason of the database: disk full, input/output error, broken file. */
export class StoreFailedError extends PlatformError {
  override readonly name = "StoreFailedError";
  readonly code = "STORE_FAILED";
  readonly fault: Fault = "operator";
  override readonly sipStatus: number = 503;
  override readonly httpStatus: number = 503;
  override readonly publicCode: number = 20503;
}

/** A secret at rest cannot be opened: another master key, or somebody changed or moved it. */
export class SecretUnreadableError extends PlatformError {
  override readonly name = "SecretUnreadableError";
  readonly code = "SECRET_UNREADABLE";
  readonly fault: Fault = "operator";
}
