import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from "kysely";
import type { StoreLink } from "./link.ts";
import type { SqlValue, Statement } from "./messages.ts";

/** Kysely's SQLite dialect over the store's thread. */
export function threadedSqliteDialect(link: StoreLink): Dialect {
  return {
    createAdapter: () => new ThreadedSqliteAdapter(),
    createDriver: () => new ThreadedSqliteDriver(link),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}

class ThreadedSqliteAdapter extends SqliteAdapter {
  /** SQLite rolls schema changes back like any other; Kysely does not count on it, and so would not our migrations. */
  override get supportsTransactionalDdl(): boolean {
    return true;
  }

  /** The thread keeps transactions apart. Without this Kysely asks one query after the other, and none shares a commit. */
  override get supportsMultipleConnections(): boolean {
    return true;
  }
}

export function statementOf(query: CompiledQuery): Statement {
  return { sql: query.sql, parameters: query.parameters as readonly SqlValue[] };
}

/**
 * There is one SQLite connection; a Kysely connection is a number that the thread tells transactions apart by. While one
 * has a transaction open, the others' requests wait there.
 */
class ThreadedSqliteDriver implements Driver {
  readonly #link: StoreLink;
  #lastConnection = 0;

  constructor(link: StoreLink) {
    this.#link = link;
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<ThreadedSqliteConnection> {
    return new ThreadedSqliteConnection(this.#link, ++this.#lastConnection);
  }

  async beginTransaction(connection: ThreadedSqliteConnection): Promise<void> {
    await this.#link.request({ kind: "begin", connection: connection.number });
  }

  async commitTransaction(connection: ThreadedSqliteConnection): Promise<void> {
    await this.#link.request({ kind: "commit", connection: connection.number });
  }

  async rollbackTransaction(connection: ThreadedSqliteConnection): Promise<void> {
    await this.#link.request({ kind: "rollback", connection: connection.number });
  }

  async releaseConnection(): Promise<void> {}

  async destroy(): Promise<void> {
    await this.#link.close();
  }
}

class ThreadedSqliteConnection implements DatabaseConnection {
  readonly #link: StoreLink;
  readonly number: number;

  constructor(link: StoreLink, number: number) {
    this.#link = link;
    this.number = number;
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const statement = statementOf(query);
    const [result] = await this.#link.request({ kind: "run", connection: this.number, statement });
    if (result === undefined) return { rows: [] };
    return {
      rows: result.rows as R[],
      numAffectedRows: BigInt(result.changes),
      insertId: BigInt(result.lastInsertRowid),
    };
  }

  /** Our lists are paged: all rows come in one piece. */
  async *streamQuery<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    yield await this.executeQuery<R>(query);
  }
}
