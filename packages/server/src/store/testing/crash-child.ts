import { openStore } from "../open.ts";
import { callback, callRecord, keepingLog, MASTER_KEY } from "./fixtures.ts";

/** A process that saves calls as fast as it can, many at a time, and prints the number of each when it is acknowledged. */
const [file = "", first = "0"] = process.argv.slice(2);
const store = await openStore({ file, masterKey: MASTER_KEY, log: keepingLog(), now: Date.now });
let next = Number(first);
const save = async (): Promise<never> => {
  for (;;) {
    const number = next++;
    await store.calls.saveCall(callRecord(number), [callback({ callSid: callRecord(number).sid })]);
    process.stdout.write(`${number}\n`);
  }
};
await Promise.all(Array.from({ length: 8 }, save));
