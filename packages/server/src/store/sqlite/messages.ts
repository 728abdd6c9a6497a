/** What a statement may carry; node:sqlite takes nothing else from us. */
export type SqlValue = string | number | bigint | null | Uint8Array;

export interface Statement {
  readonly sql: string;
  readonly parameters: readonly SqlValue[];
}

export interface StatementResult {
  readonly rows: readonly Record<string, SqlValue>[];
  readonly changes: number;
  readonly lastInsertRowid: number;
}

/** `connection` 0 is everybody's; others are held by one transaction that asks as it goes. */
export type StoreRequest =
  | { readonly id: number; readonly kind: "batch"; readonly statements: readonly Statement[] }
  | { readonly id: number; readonly kind: "run"; readonly connection: number; readonly statement: Statement }
  | { readonly id: number; readonly kind: "begin" | "commit" | "rollback"; readonly connection: number }
  | { readonly id: number; readonly kind: "close" };

export interface SqlFailure {
  readonly message: string;
  /** SQLite's extended result code; 0 when the failure is not SQLite's. */
  readonly resultCode: number;
}

export type StoreReply =
  | { readonly id: number; readonly results: readonly StatementResult[] }
  | { readonly id: number; readonly failure: SqlFailure };

/** The worker's first message. */
export type StoreGreeting =
  | { readonly ready: true; readonly sqliteVersion: string }
  | { readonly ready: false; readonly locked: boolean; readonly failure: SqlFailure };
