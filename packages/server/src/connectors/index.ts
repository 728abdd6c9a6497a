export { type ConnectorsOptions, createConnectorDirectory } from "./directory.ts";
export { ConnectorInvalidError } from "./errors.ts";
