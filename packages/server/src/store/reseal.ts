import { accountToken } from "./accounts.ts";
import type { StoreContext } from "./context.ts";
import { NAMED_SECRETS, namedSecret } from "./named-rows.ts";
import { recordingKey } from "./recording-keeping.ts";

/**
 * Opens every secret that is sealed under an older key and seals it anew; so a wrong master key is found when the
 * database is opened, not when the first call needs a secret.
 *
 * @returns how many were sealed anew
 * @throws `SecretUnreadableError`; nothing was changed
 */
export async function resealSecrets({ engine, vault }: StoreContext): Promise<number> {
  const { db } = engine;
  const updates = [];
  for (const { sid, auth_token } of await db.selectFrom("accounts").select(["sid", "auth_token"]).execute()) {
    const place = accountToken(sid);
    const token = vault.open(auth_token, place);
    if (!vault.isOutdated(auth_token)) continue;
    const sealed = vault.seal(token, place);
    updates.push(db.updateTable("accounts").set({ auth_token: sealed }).where("sid", "=", sid));
  }
  for (const table of ["trunks", "connectors"] as const) {
    // The columns are those of the table at hand; only Kysely's types are told that they are a trunk's.
    const rows: readonly Readonly<Record<string, string | null>>[] = await db
      .selectFrom(table)
      .select(["sid", ...NAMED_SECRETS[table as "trunks"]])
      .execute();
    for (const { sid, ...row } of rows) {
      for (const [column, sealed] of Object.entries(row)) {
        if (sealed == null || !vault.isOutdated(sealed)) continue;
        const place = namedSecret(table, sid!, column);
        const again = vault.seal(vault.open(sealed, place), place);
        updates.push(
          db
            .updateTable(table)
            .set({ [column]: again })
            .where("sid", "=", sid!),
        );
      }
    }
  }
  // There may be many of them: only those are opened that are sealed under another key.
  const prefix = vault.currentPrefix;
  for (const { recording_sid, sealed_key } of await db
    .selectFrom("recording_keeping")
    .select(["recording_sid", "sealed_key"])
    .where("sealed_key", "is not", null)
    .where((eb) => eb.or([eb("sealed_key", "<", prefix), eb("sealed_key", ">=", `${prefix}~`)]))
    .execute()) {
    const place = recordingKey(recording_sid);
    const again = vault.seal(vault.open(sealed_key!, place), place);
    updates.push(
      db
        .updateTable("recording_keeping")
        .set({ sealed_key: again })
        .where("recording_sid", "=", recording_sid),
    );
  }
  if (updates.length > 0) await engine.atomically(updates);
  return updates.length;
}
