export {
  DuplicateNameError,
  SecretUnreadableError,
  StoreFailedError,
  StoreLockedError,
  StoreOverloadedError,
  StoreSchemaError,
  StoreUnavailableError,
} from "./errors.ts";
export { openStore } from "./open.ts";
export type {
  Accounts,
  AlertSink,
  EnsuredAccount,
  Outbox,
  OutboxEntry,
  Retention,
  Store,
  StoreOptions,
} from "./types.ts";
