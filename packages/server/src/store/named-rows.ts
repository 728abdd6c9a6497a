import type { Kysely, Selectable, Updateable } from "kysely";
import { namedUniquely, type StoreContext } from "./context.ts";
import type { ConnectorRow, Tables, TrunkRow } from "./schema.ts";
import type { SecretPlace } from "./vault.ts";

/** Tables of what an account has named: rows are found by SID or unique name, and some of their columns are sealed. */
interface NamedTables {
  readonly trunks: TrunkRow;
  readonly connectors: ConnectorRow;
}

export const NAMED_SECRETS = {
  trunks: ["password", "private_key"],
  connectors: ["credentials", "password", "private_key"],
} as const satisfies { readonly [Table in keyof NamedTables]: readonly (keyof NamedTables[Table])[] };

type Secret<Table extends keyof NamedTables> = (typeof NAMED_SECRETS)[Table][number];
type Row<Table extends keyof NamedTables> = Selectable<NamedTables[Table]>;
type Change<Table extends keyof NamedTables> = Updateable<NamedTables[Table]>;
type Secrets<Table extends keyof NamedTables, Value> = { readonly [Column in Secret<Table>]: Value };

export const namedSecret = (table: keyof NamedTables, sid: string, column: string): SecretPlace => ({
  table,
  row: sid,
  column,
});

/** What trunks and connectors have in common. */
export interface NamedRows<Table extends keyof NamedTables> {
  find(accountSid: string, sidOrName: string): Promise<Row<Table> | undefined>;
  /** Newest first. */
  page(
    accountSid: string,
    window: { readonly offset: number; readonly limit: number },
  ): Promise<readonly Row<Table>[]>;
  /** @throws DuplicateNameError */
  insert(row: Row<Table> extends infer R ? Omit<R, "seq"> : never): Promise<Row<Table>>;
  /** @throws DuplicateNameError */
  update(found: Row<Table>, change: Change<Table>): Promise<Row<Table> | undefined>;
  delete(accountSid: string, sidOrName: string): Promise<boolean>;
  /** Columns of the secrets that were given; an empty secret is none. */
  seal(
    sid: string,
    secrets: Secrets<Table, string | null | undefined>,
  ): Partial<Secrets<Table, string | null>>;
  /** @throws SecretUnreadableError */
  open(row: Row<Table>): Secrets<Table, string | null>;
}

export function namedRows<Table extends keyof NamedTables>(
  { engine, vault, now }: StoreContext,
  table: Table,
): NamedRows<Table> {
  // The columns used here are in both tables, which a generic name hides from Kysely: it is told one of them.
  const db: Kysely<Tables> = engine.db;
  const name = table as "trunks";
  const asRow = (row: unknown) => row as Row<Table>;
  const keysOf = (row: unknown) => row as { readonly sid: string; readonly unique_name: string };
  const secrets: readonly Secret<Table>[] = NAMED_SECRETS[table];

  const find = async (accountSid: string, sidOrName: string): Promise<Row<Table> | undefined> => {
    const rows = await db
      .selectFrom(name)
      .selectAll()
      .where("account_sid", "=", accountSid)
      .where((eb) => eb.or([eb("sid", "=", sidOrName), eb("unique_name", "=", sidOrName)]))
      .execute();
    const row = rows.find(({ sid }) => sid === sidOrName) ?? rows[0];
    return row && asRow(row);
  };

  return {
    find,
    page: async (accountSid, { offset, limit }) => {
      const rows = await db
        .selectFrom(name)
        .selectAll()
        .where("account_sid", "=", accountSid)
        .orderBy("seq", "desc")
        .limit(limit)
        .offset(offset)
        .execute();
      return rows.map(asRow);
    },
    insert: async (row) => {
      const values = row as unknown as Omit<Selectable<TrunkRow>, "seq">;
      const insert = db.insertInto(name).values(values).returningAll();
      return namedUniquely(engine, values.unique_name, async () =>
        asRow(await insert.executeTakeFirstOrThrow()),
      );
    },
    update: async (found, change) => {
      const changed = { ...(change as Updateable<TrunkRow>), date_updated: now() };
      const update = db.updateTable(name).set(changed).where("sid", "=", keysOf(found).sid).returningAll();
      const row = await namedUniquely(engine, changed.unique_name ?? keysOf(found).unique_name, () =>
        update.executeTakeFirst(),
      );
      return row && asRow(row);
    },
    delete: async (accountSid, sidOrName) => {
      const found = await find(accountSid, sidOrName);
      if (found === undefined) return false;
      const { sid } = keysOf(found);
      const rows = await db.deleteFrom(name).where("sid", "=", sid).returning("sid").execute();
      return rows.length === 1;
    },
    seal: (sid, given) => {
      const columns: Partial<Record<Secret<Table>, string | null>> = {};
      for (const column of secrets) {
        const secret: string | null | undefined = given[column];
        if (secret === null || secret === "") columns[column] = null;
        else if (secret !== undefined) columns[column] = vault.seal(secret, namedSecret(table, sid, column));
      }
      return columns;
    },
    open: (row) => {
      const { sid } = keysOf(row);
      const opened = secrets.map((column) => {
        const sealed = (row as Readonly<Record<string, unknown>>)[column] as string | null;
        return [column, sealed === null ? null : vault.open(sealed, namedSecret(table, sid, column))];
      });
      return Object.fromEntries(opened) as Secrets<Table, string | null>;
    },
  };
}
