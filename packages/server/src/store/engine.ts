import type { Compilable, Kysely } from "kysely";
import type { Tables } from "./schema.ts";

/**
 * One database behind the store. SQLite is the embedded one; whatever else stands here speaks the same narrow dialect
 * and passes the same conformance suite (testing/conformance.ts).
 */
export interface Engine {
  /** For single statements and for migrations. */
  readonly db: Kysely<Tables>;
  /**
   * Runs the statements in order in one transaction. Durable when it resolves; nothing of it happened when it rejects.
   *
   * @returns the rows of each statement, empty where it returns none
   */
  atomically(statements: readonly Compilable[]): Promise<readonly (readonly unknown[])[]>;
  /** Whether a statement failed because a unique key is taken. */
  isUniqueViolation(error: unknown): boolean;
  /** The column type of a key that counts up by itself. */
  readonly serialType: "integer" | "serial";
  close(): Promise<void>;
}
