import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { converse } from "./support/conversation.ts";
import { Owned } from "./support/owned.ts";
import { without } from "./support/programs.ts";
import { openEars, samplesOf } from "./support/recorder-ears.ts";
import { schemaComplaints, withoutSchema } from "./support/schema.ts";
import { TestServer } from "./support/server.ts";
import { Sipp } from "./support/sipp.ts";
import { siprecBody } from "./support/siprec-message.ts";
import { assertIsVoice } from "./support/voices.ts";
import { until } from "./support/waiting.ts";

const owned = new Owned();
let server: TestServer;

interface Shown {
  readonly siprec: readonly {
    readonly status: string;
    readonly started_by: string;
    readonly recorder: string;
  }[];
}

describe("SIPp as a recorder that calls", { skip: without("sipp") }, () => {
  before(async () => {
    server = await TestServer.start(owned);
  });
  after(() => owned.release());

  it("[R7866-7.2-6] it names the call by its SID, answers the offer in its ACK and gets both voices; its BYE is the end", async (t) => {
    const SipUri = "sip:recorder@127.0.0.1:5999;transport=tcp";
    await server.post("/v1/Connectors", { UniqueName: "calling", SipUri, RecorderStarts: "true" });
    const call = await converse(t, server);
    const ears = await openEars(t);
    const recorder = await Sipp.start(t, {
      scenario: "srs-calls.xml",
      transport: "tcp",
      target: { port: server.sipPort, user: call.callSid },
      keys: ears.keys,
      pauseMs: 2_000,
    });
    const path = `/2010-04-01/Accounts/${server.accountSid}/Calls/${call.callSid}/Siprec.json`;
    const forks = async () => (await server.get<Shown>(path)).siprec;
    await until("the fork", async () => (await forks()).some(({ status }) => status === "in-progress"));
    await recorder.succeeded();
    await until("its end", async () => (await forks()).every(({ status }) => status === "stopped"));
    const [fork, ...more] = await forks();
    assert.equal(more.length, 0);
    assert.equal(fork?.started_by, "recorder");
    assert.match(fork?.recorder ?? "", /^sip:recorder@127\.0\.0\.1:/);
    for (const [ear, voice] of [
      [ears.inbound, "alice"],
      [ears.outbound, "bob"],
    ] as const) {
      assert.ok(ear.heard().packets >= 50);
      assert.equal(ear.heard().lost, 0);
      assertIsVoice(samplesOf(ear), voice);
    }
    const answer = recorder
      .messages()
      .find(({ message }) => message.kind === "response" && message.status === 200);
    const { xml, metadata } = siprecBody(answer!.message);
    assert.equal(metadata?.dataMode, "complete");
    if (withoutSchema() === false) assert.deepEqual(schemaComplaints([xml!]), []);
    assert.equal((await server.twilio().calls(call.callSid).fetch()).status, "in-progress");
  });

  it("a call that there is not: 404", async (t) => {
    const call = await converse(t, server);
    const sid = call.callSid.replace(/.$/, (last) => (last === "0" ? "1" : "0"));
    const ears = await openEars(t);
    const recorder = await Sipp.start(t, {
      scenario: "srs-calls.xml",
      transport: "tcp",
      target: { port: server.sipPort, user: sid },
      keys: ears.keys,
    });
    await until("the refusal", () =>
      recorder.messages().some(({ message }) => message.kind === "response" && message.status === 404),
    );
    assert.equal(ears.inbound.heard().packets, 0);
  });
});
