import assert from "node:assert/strict";
import { test } from "node:test";
import type { HeaderLine } from "../signalling/index.ts";
import type { Refusal } from "./errors.ts";
import { rejectInvite } from "./refuse.ts";

function refused(refusal: Refusal): { status: number; headers: readonly HeaderLine[] } {
  let said: { status: number; headers: readonly HeaderLine[] } | undefined;
  const reject = (status: number, options?: { readonly headers?: readonly HeaderLine[] }): void => {
    said = { status, headers: options?.headers ?? [] };
  };
  rejectInvite({ reject }, refusal);
  assert.ok(said);
  return said;
}

test("a recording client is told by Warning why it is refused", () => {
  const { status, headers } = refused({ status: 503, message: "too many", reason: "limit" });
  assert.equal(status, 503);
  assert.deepEqual(headers, [["Warning", '399 callfork "too many"']]);
});

test("an address that may not record is told nothing: not even that a recorder is here", () => {
  assert.deepEqual(refused({ status: 403, message: "this address may not", reason: "address" }), {
    status: 403,
    headers: [],
  });
});
