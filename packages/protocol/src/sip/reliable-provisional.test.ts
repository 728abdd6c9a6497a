import assert from "node:assert/strict";
import { test } from "node:test";
import {
  RELIABLE_PROVISIONAL,
  RELIABLE_PROVISIONAL_TIMERS,
  ReliableProvisional,
  reliableNumberOf,
} from "./reliable-provisional.ts";
import { Drive, testRequest, testResponse } from "./transaction-drive.testing.ts";

const invite = testRequest("INVITE");
const prack = (rack: string) => testRequest("PRACK", { RAck: rack });

test("every live timer of the table has its row", () => {
  for (const [state, live] of Object.entries(RELIABLE_PROVISIONAL_TIMERS))
    for (const timer of live)
      assert.ok(timer in RELIABLE_PROVISIONAL[state as keyof typeof RELIABLE_PROVISIONAL]);
});

test("[R3262-3-1] a reliable provisional has Require and RSeq, and is repeated after T1, doubling without bound, for 64*T1", () => {
  const machine = new ReliableProvisional(invite, 41);
  const response = testResponse(invite, 183);
  const drive = new Drive(machine).take(machine.respond(response, 0)).until(60_000);
  assert.deepEqual(drive.times, [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500]);
  assert.deepEqual(drive.events, ["32000 timeout", "32000 terminated"]);
  assert.deepEqual(drive.runningTimers, []);
  assert.equal(response.headers.get("Require"), "100rel");
  assert.equal(response.headers.get("RSeq"), "42");
  assert.equal(reliableNumberOf(response), 42);
});

test("[R3262-3-2] PRACK matches by RSeq, CSeq and method, once; anything else matches nothing and changes nothing", () => {
  const machine = new ReliableProvisional(invite, 41);
  const drive = new Drive(machine).take(machine.respond(testResponse(invite, 183), 0));
  for (const rack of ["41 314159 INVITE", "42 314160 INVITE", "42 314159 OPTIONS", "42", ""])
    assert.equal(machine.acknowledge(prack(rack), 100), undefined, rack);
  assert.equal(machine.state, "Unacknowledged");
  const matched = machine.acknowledge(prack("42 314159 INVITE"), 100);
  assert.ok(matched);
  drive.take(matched).until(60_000);
  assert.deepEqual([drive.times, drive.events], [[0], []]);
  assert.equal(machine.acknowledge(prack("42 314159 INVITE"), 60_000), undefined);
});

test("[R3262-3-3] provisionals go one after the other, each with the next RSeq when the one before is acknowledged", () => {
  const machine = new ReliableProvisional(invite, 1);
  const drive = new Drive(machine);
  for (const status of [180, 183, 182]) drive.take(machine.respond(testResponse(invite, status), 0));
  assert.equal(machine.pending.length, 3);
  const statuses = () => drive.wire.map(({ line }) => line.split(" ")[1]);
  assert.deepEqual(statuses(), ["180"]);
  drive.take(machine.acknowledge(prack("2 314159 INVITE"), 10)!);
  assert.deepEqual(statuses(), ["180", "183"]);
  drive.take(machine.acknowledge(prack("3 314159 INVITE"), 20)!);
  assert.deepEqual(statuses(), ["180", "183", "182"]);
  assert.equal(machine.current?.headers.get("RSeq"), "4");
});

test("[R3262-3-4] a final answer ends the repetition; a PRACK that was under way still matches", () => {
  const machine = new ReliableProvisional(invite, 1);
  const drive = new Drive(machine).take(machine.respond(testResponse(invite, 180), 0));
  drive.take(machine.final(100)).until(60_000);
  assert.deepEqual([drive.times, drive.events], [[0], ["0 terminated"]]);
  assert.deepEqual(machine.acknowledge(prack("2 314159 INVITE"), 200), []);
});

test("only 101 to 199 with Require and a readable RSeq are to be acknowledged", () => {
  const numberOf = (status: number, lines: readonly (readonly [string, string])[]) => {
    const response = testResponse(invite, status);
    for (const [name, value] of lines) response.headers.append(name, value);
    return reliableNumberOf(response);
  };
  assert.equal(
    numberOf(180, [
      ["Require", "100rel"],
      ["RSeq", "7"],
    ]),
    7,
  );
  assert.equal(numberOf(180, [["RSeq", "7"]]), undefined);
  assert.equal(
    numberOf(100, [
      ["Require", "100rel"],
      ["RSeq", "7"],
    ]),
    undefined,
  );
  assert.equal(
    numberOf(200, [
      ["Require", "100rel"],
      ["RSeq", "7"],
    ]),
    undefined,
  );
  assert.equal(
    numberOf(180, [
      ["Require", "100rel"],
      ["RSeq", "0"],
    ]),
    undefined,
  );
  assert.equal(numberOf(180, [["Require", "100rel"]]), undefined);
});
