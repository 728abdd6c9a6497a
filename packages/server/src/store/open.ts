import { StoreUnavailableError } from "./errors.ts";
import type { Store, StoreOptions } from "./types.ts";

/**
 * Opens the database, brings its schema up to date and takes it for this process alone.
 *
 * @throws `StoreLockedError` when another process has it, `StoreSchemaError` when a newer version made it or a migration
 *   failed, `SecretUnreadableError` when `masterKey` is not the one its secrets were sealed with, `StoreUnavailableError`
 */
export async function openStore(_options: StoreOptions): Promise<Store> {
  throw new StoreUnavailableError("not built yet");
}
