import { accountsTable } from "./accounts.ts";
import { alertsTable } from "./alerts.ts";
import { callsTable } from "./calls.ts";
import { connectorsTable } from "./connectors.ts";
import type { StoreContext } from "./context.ts";
import type { Engine } from "./engine.ts";
import { migrate } from "./migrations/index.ts";
import { numbersTable } from "./numbers.ts";
import { outboxTable } from "./outbox.ts";
import { keepingTable } from "./recording-keeping.ts";
import { recordingsTable } from "./recordings.ts";
import { resealSecrets } from "./reseal.ts";
import { Names } from "./sids.ts";
import { siprecsTable } from "./siprecs.ts";
import { openSqliteEngine } from "./sqlite/engine.ts";
import { trunksTable } from "./trunks.ts";
import type { Retention, Store, StoreOptions } from "./types.ts";
import { Vault } from "./vault.ts";

const DAY_MS = 86_400_000;

const DEFAULT_RETENTION: Retention = {
  alerts: 50_000,
  alertAgeMs: 30 * DAY_MS,
  finishedCallbacks: 10_000,
  finishedCallbackAgeMs: 3 * DAY_MS,
};

/**
 * Opens the database, brings its schema up to date and takes it for this process alone.
 *
 * @throws `StoreLockedError` when another process has it, `StoreSchemaError` when a newer version made it or a migration
 *   failed, `SecretUnreadableError` when `masterKey` is not the one its secrets were sealed with, `StoreUnavailableError`
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const vault = new Vault([options.masterKey, ...(options.previousMasterKeys ?? [])]);
  return openStoreOn(await openSqliteEngine(options.file), vault, options);
}

/** The store over an engine; closes the engine when it cannot open. */
export async function openStoreOn(
  engine: Engine,
  vault: Vault,
  options: Pick<StoreOptions, "log" | "now" | "random" | "retention">,
): Promise<Store> {
  const { log, now } = options;
  const context: StoreContext = { engine, vault, names: new Names(options.random), log, now };
  const retention = { ...DEFAULT_RETENTION, ...options.retention };
  const outbox = outboxTable(context, retention);
  const alerts = alertsTable(context, retention);
  const recordings = recordingsTable(context, outbox);
  try {
    const ran = await migrate(engine);
    if (ran.length > 0) log.info({ migrations: ran }, "the database's schema was brought up to date");
    const resealed = await resealSecrets(context);
    if (resealed > 0)
      log.info({ secrets: resealed }, "secrets were sealed anew under the current master key");
    if (ran.includes("0005-recordings-kept")) await recordings.indexAll();
    await outbox.forgetClaims();
    await outbox.prune();
    await alerts.prune();
  } catch (error) {
    await engine.close();
    throw error;
  }

  const accounts = accountsTable(context);
  const calls = callsTable(context, outbox);
  const siprecs = siprecsTable(context, outbox);
  const numbers = numbersTable(context);
  const trunks = trunksTable(context);
  const connectors = connectorsTable(context);
  const healthy = async () => {
    try {
      await engine.db.selectFrom("accounts").select("seq").limit(1).execute();
      return true;
    } catch {
      return false;
    }
  };
  return {
    calls: { ...calls, ...numbers, ...trunks },
    siprecs,
    connectors,
    recordings,
    keeping: keepingTable(context, recordings),
    api: { ...accounts, ...calls, ...siprecs, ...numbers, ...trunks, ...connectors, ...alerts, healthy },
    credentials: accounts,
    accounts,
    alerts,
    outbox,
    close: async () => {
      await alerts.flush();
      await engine.close();
    },
  };
}
