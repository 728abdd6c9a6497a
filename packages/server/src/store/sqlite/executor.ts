import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { SqlFailure, Statement, StatementResult, StoreReply, StoreRequest } from "./messages.ts";

/** Requests that one commit may cover: a bound on how long the first of them waits for the last. */
const GROUP_LIMIT = 256;
/** Prepared statements kept; ours are a few dozen. */
const STATEMENT_LIMIT = 256;

/**
 * Carries out requests on one SQLite connection. Requests that wait together share a transaction and so one sync of the
 * disk (group commit): each under a savepoint of its own, so that one failing leaves the others whole; none is answered
 * before the commit. A transaction that asks as it goes has the database for itself until it ends.
 */
export class Executor {
  readonly #db: DatabaseSync;
  readonly #prepared = new Map<string, { readonly statement: StatementSync; readonly reader: boolean }>();
  #waiting: StoreRequest[] = [];
  /** The connection whose transaction is open; 0: none. */
  #owner = 0;

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  add(request: StoreRequest): void {
    this.#waiting.push(request);
  }

  /** Carries out what can be carried out now. */
  drain(): readonly StoreReply[] {
    const replies: StoreReply[] = [];
    for (;;) {
      const group = this.#nextGroup();
      if (group.length === 0) return replies;
      if (this.#owner !== 0 || group[0]?.kind === "begin")
        for (const each of group) replies.push(this.#step(each));
      else replies.push(...this.#runGroup(group));
    }
  }

  /** The owner's requests while there is an owner; otherwise everything up to the next `begin`, or that `begin` alone. */
  #nextGroup(): StoreRequest[] {
    const group: StoreRequest[] = [];
    const left: StoreRequest[] = [];
    for (const [index, request] of this.#waiting.entries()) {
      if (this.#owner !== 0) {
        if ("connection" in request && request.connection === this.#owner && group.length === 0)
          group.push(request);
        else left.push(request);
        continue;
      }
      const begins = request.kind === "begin";
      if (group.length >= GROUP_LIMIT || (begins && group.length > 0)) {
        left.push(...this.#waiting.slice(index));
        break;
      }
      group.push(request);
      if (begins) {
        left.push(...this.#waiting.slice(index + 1));
        break;
      }
    }
    this.#waiting = left;
    return group;
  }

  /** One request of a transaction that asks as it goes. */
  #step(request: StoreRequest): StoreReply {
    try {
      switch (request.kind) {
        case "begin":
          this.#db.exec("begin immediate");
          this.#owner = request.connection;
          return { id: request.id, results: [] };
        case "commit":
          this.#db.exec("commit");
          this.#owner = 0;
          return { id: request.id, results: [] };
        case "rollback":
          if (this.#db.isTransaction) this.#db.exec("rollback");
          this.#owner = 0;
          return { id: request.id, results: [] };
        default:
          return { id: request.id, results: this.#execute(request) };
      }
    } catch (error) {
      // A failed commit (disk full) leaves the transaction open; whoever asked sends the rollback.
      return { id: request.id, failure: describe(error) };
    }
  }

  #runGroup(group: readonly StoreRequest[]): readonly StoreReply[] {
    let replies: StoreReply[] = [];
    try {
      this.#db.exec("begin immediate");
      for (const request of group) {
        replies.push(group.length === 1 ? this.#alone(request) : this.#underSavepoint(request));
        if (!this.#db.isTransaction) throw new Error("the transaction was rolled back");
      }
      this.#db.exec("commit");
    } catch (error) {
      // SQLite itself rolls back on a full disk, an input/output error and the like: then nobody's change happened.
      if (this.#db.isTransaction) this.#db.exec("rollback");
      const first = replies.find((reply) => "failure" in reply);
      const failure = first !== undefined && "failure" in first ? first.failure : describe(error);
      replies = group.map(({ id }) => ({ id, failure }));
    }
    return replies;
  }

  #alone(request: StoreRequest): StoreReply {
    try {
      return { id: request.id, results: this.#execute(request) };
    } catch (error) {
      if (this.#db.isTransaction) {
        this.#db.exec("rollback");
        this.#db.exec("begin immediate");
      }
      return { id: request.id, failure: describe(error) };
    }
  }

  #underSavepoint(request: StoreRequest): StoreReply {
    this.#db.exec("savepoint request");
    let reply: StoreReply;
    try {
      reply = { id: request.id, results: this.#execute(request) };
    } catch (error) {
      reply = { id: request.id, failure: describe(error) };
      if (!this.#db.isTransaction) return reply;
      this.#db.exec("rollback to request");
    }
    this.#db.exec("release request");
    return reply;
  }

  #execute(request: StoreRequest): StatementResult[] {
    if (request.kind === "batch") return request.statements.map((statement) => this.#run(statement));
    if (request.kind === "run") return [this.#run(request.statement)];
    throw new Error(`${request.kind} outside a transaction`);
  }

  #run({ sql, parameters }: Statement): StatementResult {
    let known = this.#prepared.get(sql);
    if (known === undefined) {
      const statement = this.#db.prepare(sql);
      known = { statement, reader: statement.columns().length > 0 };
      if (this.#prepared.size >= STATEMENT_LIMIT) this.#prepared.delete(this.#prepared.keys().next().value!);
      this.#prepared.set(sql, known);
    }
    if (known.reader) {
      const rows = known.statement.all(...parameters) as StatementResult["rows"];
      return { rows, changes: rows.length, lastInsertRowid: 0 };
    }
    const { changes, lastInsertRowid } = known.statement.run(...parameters);
    return { rows: [], changes: Number(changes), lastInsertRowid: Number(lastInsertRowid) };
  }
}

export function describe(error: unknown): SqlFailure {
  const message = error instanceof Error ? error.message : String(error);
  const resultCode = error instanceof Error && "errcode" in error ? Number(error.errcode) : 0;
  return { message, resultCode };
}
