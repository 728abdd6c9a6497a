import assert from "node:assert/strict";
import { after, before, describe, it, type TestContext } from "node:test";
import { type Conversation, converse } from "./support/conversation.ts";
import { Customer } from "./support/customer.ts";
import { Owned } from "./support/owned.ts";
import { without } from "./support/programs.ts";
import { openEars, type RecorderEars } from "./support/recorder-ears.ts";
import { TestServer } from "./support/server.ts";
import { Sipp, type SippOptions } from "./support/sipp.ts";
import { assertIsVoice } from "./support/voices.ts";
import { until } from "./support/waiting.ts";

const owned = new Owned();
let server: TestServer;
let customer: Customer;

interface Trouble {
  readonly ears: RecorderEars;
  readonly recorder: Sipp;
  readonly call: Conversation;
  readonly sid: string;
  readonly path: string;
  /** Samples that were heard before the fork was asked for, ringing among them. */
  readonly before: readonly [alice: number, bob: number];
}

/** A call forked to SIPp with this scenario. */
async function forkedTo(
  t: TestContext,
  scenario: string,
  options: Partial<SippOptions> = {},
): Promise<Trouble> {
  const ears = await openEars(t);
  const file = `${scenario}.xml`;
  const recorder = await Sipp.start(t, { scenario: file, transport: "tcp", keys: ears.keys, ...options });
  await server.connector(scenario, `sip:recorder@127.0.0.1:${recorder.port};transport=tcp`);
  const call = await converse(t, server);
  await until("Bob hearing Alice", () => call.bob.heard().packets > 25);
  const before = [call.alice.heard().samples.length, call.bob.heard().samples.length] as const;
  const path = `/${scenario}`;
  const statusCallback = customer.url(path);
  const { siprec } = server.twilio().calls(call.callSid);
  const { sid } = await siprec.create({ connectorName: scenario, statusCallback });
  return { ears, recorder, call, sid, path, before };
}

/** Each party hears the other for another second, sample by sample. */
async function assertUndisturbed({ call: { alice, bob }, before }: Trouble): Promise<void> {
  const [toAlice, toBob] = [alice.heard().packets, bob.heard().packets];
  await until(
    "a second of talk",
    () => alice.heard().packets > toAlice + 50 && bob.heard().packets > toBob + 50,
  );
  for (const [ear, voice, from] of [
    [alice, "bob", before[0]],
    [bob, "alice", before[1]],
  ] as const) {
    const { samples, lost } = ear.heard();
    assert.equal(lost, 0);
    assertIsVoice(samples.subarray(from), voice);
  }
}

async function stop({ call, sid, recorder }: Trouble): Promise<void> {
  await server.twilio().calls(call.callSid).siprec(sid).update({ status: "stopped" });
  await recorder.succeeded();
}

describe("SIPp as a recorder that misbehaves", { skip: without("sipp"), concurrency: 3 }, () => {
  before(async () => {
    server = await TestServer.start(owned);
    customer = await Customer.open(owned);
  });
  after(() => owned.release());

  for (const [scenario, what] of [
    ["srs-fewer-lines", "fewer m-lines than were offered"],
    ["srs-without-sdp", "200 without SDP"],
  ] as const) {
    it(`${what}: ACK and BYE, siprec-error 32102, the call untouched`, async (t) => {
      const trouble = await forkedTo(t, scenario);
      const { parameters } = await customer.called(trouble.path, { SiprecEvent: "siprec-error" });
      assert.equal(parameters.SiprecErrorCode, "32102");
      await trouble.recorder.succeeded();
      await assertUndisturbed(trouble);
    });
  }

  it("wrong labels: each line gets its own voice all the same", async (t) => {
    const trouble = await forkedTo(t, "srs-wrong-labels");
    const { ears } = trouble;
    await until("audio on both", () =>
      [ears.inbound, ears.outbound].every((ear) => ear.heard().packets > 50),
    );
    await assertUndisturbed(trouble);
    await stop(trouble);
  });

  it("inactive for one line: the other is recorded", async (t) => {
    const trouble = await forkedTo(t, "srs-inactive-line");
    const { ears } = trouble;
    await until("audio", () => ears.outbound.heard().packets > 50);
    await assertUndisturbed(trouble);
    assert.equal(ears.inbound.heard().packets, 0);
    await stop(trouble);
  });

  it("a=sendrecv, and everything sent back at us: nobody hears it", async (t) => {
    const trouble = await forkedTo(t, "srs-echoes", { echo: true });
    await customer.called(trouble.path, { SiprecEvent: "siprec-started" });
    await assertUndisturbed(trouble);
    await assertUndisturbed(trouble);
    await stop(trouble);
  });

  it("302 to itself: it is asked once, and given up", async (t) => {
    const trouble = await forkedTo(t, "srs-redirects-to-itself");
    await customer.called(trouble.path, { SiprecEvent: "siprec-error" });
    await trouble.recorder.succeeded();
    await assertUndisturbed(trouble);
  });
});
