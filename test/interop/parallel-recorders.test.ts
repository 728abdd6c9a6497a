import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { converse } from "./support/conversation.ts";
import { Customer } from "./support/customer.ts";
import { Owned } from "./support/owned.ts";
import { without } from "./support/programs.ts";
import { openEars, type RecorderEars, samplesOf } from "./support/recorder-ears.ts";
import { TestServer } from "./support/server.ts";
import { Sipp } from "./support/sipp.ts";
import { siprecBody } from "./support/siprec-message.ts";
import { assertIsVoice } from "./support/voices.ts";
import { until } from "./support/waiting.ts";

const owned = new Owned();
let server: TestServer;
let customer: Customer;

interface Fork {
  readonly sid: string;
  readonly connector_name: string;
  readonly status: string;
  readonly parallel: readonly string[];
  readonly parallel_of: string | null;
}

const hears = (ears: RecorderEars, packets: number): boolean =>
  [ears.inbound, ears.outbound].every((ear) => ear.heard().packets >= packets);

describe("two SIPp recorders at once", { skip: without("sipp") }, () => {
  before(async () => {
    server = await TestServer.start(owned);
    customer = await Customer.open(owned);
  });
  after(() => owned.release());

  it("[R6341-021] both get both voices under the same ids, and are stopped together; callbacks tell them apart", async (t) => {
    const ears = [await openEars(t), await openEars(t)] as const;
    const recorders = [
      await Sipp.start(t, { scenario: "srs-records.xml", transport: "tcp", keys: ears[0].keys }),
      await Sipp.start(t, { scenario: "srs-records.xml", transport: "tcp", keys: ears[1].keys }),
    ] as const;
    const [main, archive] = recorders.map(({ port }) => `sip:recorder@127.0.0.1:${port};transport=tcp`);
    await server.post("/v1/Connectors", { UniqueName: "archive", SipUri: archive!, Policy: "mandatory" });
    await server.post("/v1/Connectors", { UniqueName: "main", SipUri: main!, Parallel: "archive" });
    const call = await converse(t, server);
    const { siprec } = server.twilio().calls(call.callSid);
    const statusCallback = customer.url("/parallel");
    const { sid } = await siprec.create({ connectorName: "main", name: "both", statusCallback });
    await until("a second at both", () => ears.every((each) => hears(each, 50)));

    const path = `/2010-04-01/Accounts/${server.accountSid}/Calls/${call.callSid}/Siprec.json`;
    const forks = (await server.get<{ siprec: Fork[] }>(path)).siprec;
    const beside = forks.find(({ connector_name }) => connector_name === "archive")!;
    const asked = forks.find(({ connector_name }) => connector_name === "main")!;
    assert.equal(asked.sid, sid);
    assert.deepEqual(asked.parallel, [beside.sid]);
    assert.equal(beside.parallel_of, sid);
    const documents = recorders.map((recorder) => {
      const invite = recorder.messages().find(({ message }) => message.kind === "request")!;
      return siprecBody(invite.message).metadata!;
    });
    const ids = documents.map(({ groups, sessions, participants, streams }) => [
      groups.map(({ groupId }) => groupId),
      sessions.map(({ sessionId }) => sessionId),
      participants.map(({ participantId }) => participantId),
      streams.map(({ streamId }) => streamId),
    ]);
    assert.deepEqual(ids[1], ids[0]);

    await siprec("both").update({ status: "stopped" });
    await Promise.all(recorders.map((recorder) => recorder.succeeded()));
    for (const { inbound, outbound } of ears) {
      for (const [ear, voice] of [
        [inbound, "alice"],
        [outbound, "bob"],
      ] as const) {
        assert.equal(ear.heard().lost, 0);
        assertIsVoice(samplesOf(ear), voice);
      }
    }
    for (const SiprecSid of [sid, beside.sid]) {
      for (const SiprecEvent of ["siprec-started", "siprec-stopped"]) {
        const { parameters } = await customer.called("/parallel", { SiprecEvent, SiprecSid });
        assert.equal(parameters.SiprecParallelOf, SiprecSid === sid ? undefined : sid);
      }
    }
    const stopped = (await server.get<{ siprec: Fork[] }>(path)).siprec;
    assert.deepEqual(
      stopped.map(({ status }) => status),
      ["stopped", "stopped"],
    );
  });
});
