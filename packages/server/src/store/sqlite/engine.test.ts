import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { openStore } from "../open.ts";
import { type OpenForTest, storeConformance } from "../testing/conformance.ts";
import { MASTER_KEY } from "../testing/fixtures.ts";
import { outboxConformance } from "../testing/outbox-conformance.ts";

const folder = mkdtempSync(join(tmpdir(), "callfork-store-"));
after(() => rmSync(folder, { recursive: true }));

let files = 0;
const onFile: OpenForTest = (options) => {
  files += 1;
  return openStore({ file: join(folder, `${files}.db`), masterKey: MASTER_KEY, ...options });
};
const inMemory: OpenForTest = (options) => openStore({ file: ":memory:", masterKey: MASTER_KEY, ...options });

storeConformance("SQLite in a file", onFile);
outboxConformance("SQLite in a file", onFile);
storeConformance("SQLite in memory", inMemory);
