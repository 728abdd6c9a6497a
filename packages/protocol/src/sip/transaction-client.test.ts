import assert from "node:assert/strict";
import { test } from "node:test";
import {
  NON_INVITE_CLIENT,
  NON_INVITE_CLIENT_TIMERS,
  NonInviteClientTransaction,
} from "./transaction-client.ts";
import { Drive, testRequest, testResponse } from "./transaction-drive.testing.ts";
import { INVITE_CLIENT, INVITE_CLIENT_TIMERS, InviteClientTransaction } from "./transaction-invite-client.ts";

const invite = testRequest("INVITE");
const options = testRequest("OPTIONS");

test("every live timer of a client table has its row", () => {
  for (const [table, timers] of [
    [INVITE_CLIENT, INVITE_CLIENT_TIMERS],
    [NON_INVITE_CLIENT, NON_INVITE_CLIENT_TIMERS],
  ] as const) {
    for (const [state, live] of Object.entries(timers)) {
      for (const timer of live)
        assert.ok(timer in table[state as keyof typeof table], `${timer} in ${state}`);
    }
  }
});

test("[R3261-17.1-1] [R3261-17.1.1.2-1] Timer A doubles from T1 until Timer B ends the transaction", () => {
  const machine = new InviteClientTransaction(invite, { reliable: false });
  const drive = new Drive(machine).take(machine.start(0)).until(60_000);
  assert.deepEqual(drive.times, [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500]);
  assert.deepEqual(drive.events, ["32000 timeout", "32000 terminated"]);
  assert.deepEqual(drive.runningTimers, []);
});

test("[R3261-17.1-1] [R3261-17.1.1.2-3] over a reliable transport an INVITE is sent once; Timer B still ends it", () => {
  const machine = new InviteClientTransaction(invite, { reliable: true });
  const drive = new Drive(machine).take(machine.start(0)).until(60_000);
  assert.deepEqual(drive.times, [0]);
  assert.deepEqual(drive.events, ["32000 timeout", "32000 terminated"]);
});

test("[R3261-17.1.1.2-2] a provisional response stops Timers A and B for good", () => {
  const machine = new InviteClientTransaction(invite, { reliable: false });
  const drive = new Drive(machine).take(machine.start(0)).until(600);
  drive.take(machine.response(testResponse(invite, 180), 600)).until(500_000);
  assert.deepEqual(drive.times, [0, 500]);
  assert.deepEqual(drive.events, ["600 response 180"]);
  assert.equal(machine.state, "Proceeding");
});

test("[R3261-17.1-1] [R3261-17.1.1.3-1] a refusal is acknowledged in the transaction, again for 32 s over UDP (Timer D)", () => {
  const machine = new InviteClientTransaction(invite, { reliable: false });
  const drive = new Drive(machine).take(machine.start(0)).until(100);
  drive.take(machine.response(testResponse(invite, 486), 100)).until(5_000);
  drive.take(machine.response(testResponse(invite, 486), 5_000)).until(60_000);
  assert.deepEqual(drive.wire.slice(1), [
    { at: 100, line: "ACK sip:bob@10.0.0.2 SIP/2.0" },
    { at: 5_000, line: "ACK sip:bob@10.0.0.2 SIP/2.0" },
  ]);
  assert.deepEqual(drive.events, ["100 response 486", "32100 terminated"]);
});

test("[R3261-17.1-1] over a reliable transport Timer D is zero", () => {
  const machine = new InviteClientTransaction(invite, { reliable: true });
  const drive = new Drive(machine)
    .take(machine.start(0))
    .take(machine.response(testResponse(invite, 486), 0));
  assert.deepEqual(drive.events, ["0 response 486", "0 terminated"]);
  assert.equal(drive.wire.length, 2);
});

test("[R6026-7.2-1] in Accepted every 2xx is passed up, for 64*T1 (Timer M), and none is acknowledged there", () => {
  for (const reliable of [false, true]) {
    const machine = new InviteClientTransaction(invite, { reliable });
    const drive = new Drive(machine).take(machine.start(0)).until(100);
    drive.take(machine.response(testResponse(invite, 200, "one"), 100)).until(200);
    drive.take(machine.response(testResponse(invite, 200, "one"), 200));
    drive.take(machine.response(testResponse(invite, 200, "two"), 200));
    drive.take(machine.response(testResponse(invite, 486, "three"), 200));
    assert.equal(machine.unexpectedInputs, 1);
    drive.until(60_000);
    const heard = ["100 response 200", "200 response 200", "200 response 200", "32100 terminated"];
    assert.deepEqual(drive.events, heard);
    assert.deepEqual(drive.times, [0]);
  }
});

test("[R3261-17.1.4-1] a transport error ends the transaction and is reported", () => {
  for (const machine of [
    new InviteClientTransaction(invite, { reliable: true }),
    new NonInviteClientTransaction(options, { reliable: true }),
  ]) {
    const drive = new Drive(machine).take(machine.start(0)).take(machine.transportError(0));
    assert.deepEqual(drive.events, ["0 transportError", "0 terminated"]);
    assert.deepEqual(drive.runningTimers, []);
  }
});

test("[R3261-17.1-1] [R3261-17.1.2.2-1] Timer E doubles from T1 up to T2 until Timer F ends the transaction", () => {
  const machine = new NonInviteClientTransaction(options, { reliable: false });
  const drive = new Drive(machine).take(machine.start(0)).until(60_000);
  assert.deepEqual(
    drive.times,
    [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500],
  );
  assert.deepEqual(drive.events, ["32000 timeout", "32000 terminated"]);
});

test("[R3261-17.1.2.2-2] after a provisional response a request is repeated every T2; Timer F runs on", () => {
  const machine = new NonInviteClientTransaction(options, { reliable: false });
  const drive = new Drive(machine).take(machine.start(0)).until(600);
  drive.take(machine.response(testResponse(options, 100), 600)).until(60_000);
  assert.deepEqual(drive.times, [0, 500, 1_500, 5_500, 9_500, 13_500, 17_500, 21_500, 25_500, 29_500]);
  assert.deepEqual(drive.events, ["600 response 100", "32000 timeout", "32000 terminated"]);
});

test("[R3261-17.1-1] Timer K absorbs repeated answers for T4 over UDP and not at all over TCP", () => {
  const machine = new NonInviteClientTransaction(options, { reliable: false });
  const drive = new Drive(machine)
    .take(machine.start(0))
    .take(machine.response(testResponse(options, 200), 0));
  drive
    .until(1_000)
    .take(machine.response(testResponse(options, 200), 1_000))
    .until(60_000);
  assert.deepEqual(drive.events, ["0 response 200", "5000 terminated"]);
  const overTcp = new NonInviteClientTransaction(options, { reliable: true });
  const quick = new Drive(overTcp)
    .take(overTcp.start(0))
    .take(overTcp.response(testResponse(options, 200), 0));
  assert.deepEqual(quick.events, ["0 response 200", "0 terminated"]);
});
