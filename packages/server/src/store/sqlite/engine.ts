import { Kysely } from "kysely";
import type { Engine } from "../engine.ts";
import type { Tables } from "../schema.ts";
import { statementOf, threadedSqliteDialect } from "./dialect.ts";
import { SqliteError, StoreLink } from "./link.ts";

/**
 * SQLite in a thread of its own, taken for this process alone.
 *
 * @param file - a path, or ":memory:"
 */
export async function openSqliteEngine(file: string): Promise<Engine & { kill(): Promise<void> }> {
  const link = await StoreLink.open(file);
  const db = new Kysely<Tables>({ dialect: threadedSqliteDialect(link) });
  return {
    db,
    serialType: "integer",
    atomically: async (statements) => {
      const results = await link.request({
        kind: "batch",
        statements: statements.map((statement) => statementOf(statement.compile())),
      });
      return results.map(({ rows }) => rows);
    },
    isUniqueViolation: (error) => error instanceof SqliteError && error.unique,
    close: () => link.close(),
    kill: () => link.kill(),
  };
}
