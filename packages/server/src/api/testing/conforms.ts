import assert from "node:assert/strict";
import type { TSchema } from "typebox";
import { Value } from "typebox/value";

/** The body is what its schema says, and holds nothing that the schema does not name. */
export function conforms(schema: TSchema, body: unknown): void {
  const problems = Value.Errors(schema, body).map((error) => `${error.instancePath} ${error.message}`);
  assert.deepEqual(problems, []);
  const named = Object.keys((schema as unknown as { properties: object }).properties).sort();
  assert.deepEqual(Object.keys(body as object).sort(), named);
}
