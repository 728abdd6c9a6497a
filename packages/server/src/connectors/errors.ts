import { type Fault, PlatformError } from "../observe/index.ts";

/** A connector exists, but nothing in its list of SIP URIs can be called. */
export class ConnectorInvalidError extends PlatformError {
  override readonly name = "ConnectorInvalidError";
  readonly code = "CONNECTOR_INVALID";
  readonly fault: Fault = "operator";
  override readonly httpStatus: number = 400;
  override readonly publicCode: number = 31942;
}
