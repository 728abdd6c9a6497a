import type { Compilable } from "kysely";
import type { CallbackRequest } from "../calls/index.ts";
import type { StoreContext } from "./context.ts";
import type { OutboxRow } from "./schema.ts";
import type { Outbox, OutboxEntry, Retention } from "./types.ts";

/** Finished rows between two prunings. */
const PRUNE_EVERY = 500;
const ERROR_CHARACTERS = 500;

/** The outbox, and the way into it for the modules that change states. */
export interface OutboxTable extends Outbox {
  /** Statements that belong into the transaction of the state change. */
  inserts(callbacks: readonly CallbackRequest[]): readonly Compilable[];
  /** To be called after that transaction's commit. */
  added(callbacks: readonly CallbackRequest[]): void;
  /** Claims of a process that is gone are free again: this process has the database alone. */
  forgetClaims(): Promise<void>;
  prune(): Promise<void>;
}

export function outboxTable({ engine, names, log, now }: StoreContext, retention: Retention): OutboxTable {
  const { db } = engine;
  const handlers = new Set<() => void>();
  let finishedSincePruning = 0;

  const prune = async (): Promise<void> => {
    finishedSincePruning = 0;
    await db
      .deleteFrom("outbox")
      .where("date_finished", "<", now() - retention.finishedCallbackAgeMs)
      .execute();
    const oldestKept = db
      .selectFrom("outbox")
      .select("date_finished")
      .where("date_finished", "is not", null)
      .orderBy("date_finished", "desc")
      .offset(retention.finishedCallbacks)
      .limit(1);
    await db.deleteFrom("outbox").where("date_finished", "<=", oldestKept).execute();
  };

  const finish = async (id: string, status: "delivered" | "failed", error: string | null): Promise<void> => {
    await db
      .updateTable("outbox")
      .set((row) => ({
        status,
        attempts: row("attempts", "+", 1),
        claimed_until: 0,
        last_error: error?.slice(0, ERROR_CHARACTERS) ?? null,
        date_finished: now(),
      }))
      .where("id", "=", id)
      .where("status", "=", "pending")
      .execute();
    finishedSincePruning += 1;
    if (finishedSincePruning >= PRUNE_EVERY)
      prune().catch((error: unknown) => log.warn({ err: error }, "finished callbacks could not be pruned"));
  };

  /** Heads of their lanes that nobody has claimed, those for some receivers aside. */
  const freeHeads = (exceptOrigins: readonly string[]) => {
    const heads = db
      .selectFrom("outbox as head")
      .where("head.status", "=", "pending")
      .where("head.claimed_until", "<=", now())
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom("outbox as earlier")
              .select("earlier.seq")
              .whereRef("earlier.lane", "=", "head.lane")
              .where("earlier.status", "=", "pending")
              .whereRef("earlier.seq", "<", "head.seq"),
          ),
        ),
      );
    return exceptOrigins.length === 0 ? heads : heads.where("head.origin", "not in", exceptOrigins);
  };

  return {
    inserts: (callbacks) =>
      callbacks.map((callback) => {
        const id = names.uuid();
        const origin = originOf(callback.url);
        const resource = callback.callSid ?? callback.resourceSid;
        const at = now();
        return db.insertInto("outbox").values({
          id,
          account_sid: callback.accountSid,
          call_sid: callback.callSid,
          kind: callback.kind,
          url: callback.url,
          origin,
          // One receiver that is away must not hold up what others wait for.
          lane: resource === undefined ? id : `${resource} ${callback.kind} ${origin}`,
          method: callback.method,
          parameters: JSON.stringify(callback.parameters),
          status: "pending",
          attempts: 0,
          due_at: at,
          claimed_until: 0,
          last_error: null,
          date_created: at,
          date_finished: null,
        });
      }),
    added: (callbacks) => {
      if (callbacks.length > 0) for (const handler of handlers) handler();
    },
    forgetClaims: async () => {
      await db.updateTable("outbox").set({ claimed_until: 0 }).where("claimed_until", ">", 0).execute();
    },
    prune,
    claim: async ({ limit, leaseMs, exceptOrigins = [] }) => {
      const at = now();
      const due = freeHeads(exceptOrigins).select("head.seq").where("head.due_at", "<=", at);
      const rows = await db
        .updateTable("outbox")
        .set({ claimed_until: at + leaseMs })
        .where("seq", "in", due.orderBy("head.due_at").orderBy("head.seq").limit(limit))
        .returningAll()
        .execute();
      return rows.sort((a, b) => a.due_at - b.due_at || a.seq - b.seq).map(entryOf);
    },
    complete: (id) => finish(id, "delivered", null),
    giveUp: (id, reason) => finish(id, "failed", reason),
    postpone: async (id, at, reason) => {
      await db
        .updateTable("outbox")
        .set((row) => ({
          attempts: row("attempts", "+", 1),
          due_at: at,
          claimed_until: 0,
          last_error: reason.slice(0, ERROR_CHARACTERS),
        }))
        .where("id", "=", id)
        .where("status", "=", "pending")
        .execute();
    },
    release: async (id) => {
      await db.updateTable("outbox").set({ claimed_until: 0 }).where("id", "=", id).execute();
    },
    nextDueAt: async ({ exceptOrigins = [] } = {}) => {
      const row = await freeHeads(exceptOrigins)
        .select(({ fn }) => fn.min("head.due_at").as("due_at"))
        .executeTakeFirst();
      return row?.due_at ?? undefined;
    },
    pending: async () => {
      const row = await db
        .selectFrom("outbox")
        .select(({ fn }) => fn.countAll<number>().as("count"))
        .where("status", "=", "pending")
        .executeTakeFirstOrThrow();
      return Number(row.count);
    },
    onAdded: (handler) => {
      handlers.add(handler);
      return () => handlers.delete(handler);
    },
  };
}

function entryOf(row: { [K in keyof OutboxRow]: K extends "seq" ? number : OutboxRow[K] }): OutboxEntry {
  return {
    id: row.id,
    accountSid: row.account_sid,
    callSid: row.call_sid,
    kind: row.kind,
    url: row.url,
    method: row.method,
    parameters: JSON.parse(row.parameters) as OutboxEntry["parameters"],
    attempts: row.attempts,
    dateCreated: row.date_created,
  };
}

/** A text that is no URL is its own receiver; its delivery fails with an alert. */
function originOf(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : url;
}
