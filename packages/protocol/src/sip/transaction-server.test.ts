import assert from "node:assert/strict";
import { test } from "node:test";
import { Drive, testRequest, testResponse } from "./transaction-drive.testing.ts";
import { INVITE_SERVER, INVITE_SERVER_TIMERS, InviteServerTransaction } from "./transaction-invite-server.ts";
import {
  NON_INVITE_SERVER,
  NON_INVITE_SERVER_TIMERS,
  NonInviteServerTransaction,
} from "./transaction-server.ts";

const invite = testRequest("INVITE");
const ack = testRequest("ACK");
const options = testRequest("OPTIONS");

test("every live timer of a server table has its row", () => {
  for (const [table, timers] of [
    [INVITE_SERVER, INVITE_SERVER_TIMERS],
    [NON_INVITE_SERVER, NON_INVITE_SERVER_TIMERS],
  ] as const) {
    for (const [state, live] of Object.entries(timers)) {
      for (const timer of live)
        assert.ok(timer in table[state as keyof typeof table], `${timer} in ${state}`);
    }
  }
});

test("[R3261-17.2-1] [R3261-17.2.1-1] an INVITE gets 100 at once, and the latest provisional for each repetition", () => {
  const machine = new InviteServerTransaction(invite, { reliable: false });
  const drive = new Drive(machine).take(machine.start(0)).take(machine.retransmission(invite, 500));
  drive.take(machine.respond(testResponse(invite, 180), 600)).take(machine.retransmission(invite, 1_500));
  assert.deepEqual(
    drive.wire.map(({ line }) => line.split(" ")[1]),
    ["100", "100", "180", "180"],
  );
});

test("[R3261-17.2-1] a refusal is repeated by Timer G, doubling from T1 to T2, until Timer H gives up", () => {
  const machine = new InviteServerTransaction(invite, { reliable: false });
  const drive = new Drive(machine).take(machine.start(0)).take(machine.respond(testResponse(invite, 486), 0));
  drive.until(60_000);
  const repeated = [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
  assert.deepEqual(drive.times, [0, 0, ...repeated]);
  assert.deepEqual(drive.events, ["32000 timeout", "32000 terminated"]);
});

test("[R3261-17.2-1] over a reliable transport a refusal is sent once; Timer H still runs", () => {
  const machine = new InviteServerTransaction(invite, { reliable: true });
  const drive = new Drive(machine).take(machine.start(0)).take(machine.respond(testResponse(invite, 486), 0));
  drive.until(60_000);
  assert.deepEqual(drive.times, [0, 0]);
  assert.deepEqual(drive.events, ["32000 timeout", "32000 terminated"]);
});

test("[R3261-17.2-1] [R3261-17.2.1-2] after ACK Timer I absorbs further ones for T4 over UDP and not at all over TCP", () => {
  const machine = new InviteServerTransaction(invite, { reliable: false });
  const drive = new Drive(machine).take(machine.start(0)).take(machine.respond(testResponse(invite, 486), 0));
  drive.until(700).take(machine.retransmission(ack, 700)).until(900);
  drive.take(machine.retransmission(ack, 900)).take(machine.retransmission(invite, 900)).until(60_000);
  assert.deepEqual(drive.times, [0, 0, 500]);
  assert.deepEqual(drive.events, ["5700 terminated"]);
  const overTcp = new InviteServerTransaction(invite, { reliable: true });
  const quick = new Drive(overTcp).take(overTcp.start(0)).take(overTcp.respond(testResponse(invite, 486), 0));
  assert.deepEqual(quick.take(overTcp.retransmission(ack, 0)).events, ["0 terminated"]);
});

test("[R6026-7.1-1] in Accepted a repeated INVITE is absorbed, for 64*T1 (Timer L); the 2xx is repeated on demand", () => {
  for (const reliable of [false, true]) {
    const machine = new InviteServerTransaction(invite, { reliable });
    const ok = testResponse(invite, 200);
    const drive = new Drive(machine).take(machine.start(0)).take(machine.respond(ok, 0)).until(500);
    drive.take(machine.retransmission(invite, 500)).take(machine.respond(ok, 500)).until(60_000);
    assert.deepEqual(drive.times, [0, 0, 500]);
    assert.deepEqual(drive.events, ["32000 terminated"]);
  }
});

test("[R6026-7.1-2] a failed transport is reported and changes no state of a server transaction", () => {
  const machine = new InviteServerTransaction(invite, { reliable: false });
  const drive = new Drive(machine).take(machine.start(0)).take(machine.transportError(0));
  assert.deepEqual(drive.events, ["0 transportError"]);
  assert.equal(machine.state, "Proceeding");
});

test("[R3261-17.2.2-1] a repeated request gets nothing in Trying, then the latest answer, until Timer J", () => {
  const machine = new NonInviteServerTransaction(options, { reliable: false });
  const drive = new Drive(machine).take(machine.start(0)).take(machine.retransmission(options, 0));
  assert.deepEqual(drive.wire, []);
  drive.take(machine.respond(testResponse(options, 200), 100)).until(500);
  drive.take(machine.retransmission(options, 500)).take(machine.respond(testResponse(options, 500), 600));
  drive.until(60_000);
  assert.deepEqual(
    drive.wire.map(({ line }) => line),
    ["SIP/2.0 200 OK", "SIP/2.0 200 OK"],
  );
  assert.deepEqual(drive.events, ["32100 terminated"]);
});

test("[R3261-17.2-1] Timer J is 64*T1 over UDP and zero over TCP", () => {
  const overTcp = new NonInviteServerTransaction(options, { reliable: true });
  const drive = new Drive(overTcp)
    .take(overTcp.start(0))
    .take(overTcp.respond(testResponse(options, 200), 0));
  assert.deepEqual(drive.events, ["0 terminated"]);
});
