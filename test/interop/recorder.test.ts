import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type Conversation, converse } from "./support/conversation.ts";
import { Customer } from "./support/customer.ts";
import { Owned } from "./support/owned.ts";
import { freePort } from "./support/ports.ts";
import { without } from "./support/programs.ts";
import { openEars, samplesOf } from "./support/recorder-ears.ts";
import { TestServer } from "./support/server.ts";
import { Sipp } from "./support/sipp.ts";
import { assertIsVoice } from "./support/voices.ts";
import { until } from "./support/waiting.ts";

const owned = new Owned();
let server: TestServer;
let customer: Customer;

/** Forks a call to a connector; `path` takes the callbacks. */
async function fork(callSid: string, connectorName: string, path: string): Promise<string> {
  const statusCallback = customer.url(path);
  const created = await server.twilio().calls(callSid).siprec.create({ connectorName, statusCallback });
  return created.sid;
}

/** The call goes on: both still hear each other, and nothing of it was lost. */
async function assertUndisturbed({ callSid, alice, bob }: Conversation): Promise<void> {
  const [toAlice, toBob] = [alice.heard().packets, bob.heard().packets];
  await until(
    "more audio both ways",
    () => alice.heard().packets > toAlice + 10 && bob.heard().packets > toBob + 10,
  );
  assert.equal(alice.heard().lost + bob.heard().lost, 0);
  assert.equal((await server.twilio().calls(callSid).fetch()).status, "in-progress");
}

describe("SIPp as recorder", { skip: without("sipp"), concurrency: 4 }, () => {
  before(async () => {
    server = await TestServer.start(owned);
    customer = await Customer.open(owned);
  });
  after(() => owned.release());

  for (const transport of ["tcp", "udp"] as const) {
    it(`[R6341-003] [R7866-6.1.1-1] [R7866-6.1.1-2] [R6341-001] [R6341-015] it gets both voices until the fork is stopped (${transport})`, async (t) => {
      const ears = await openEars(t);
      const recorder = await Sipp.start(t, { scenario: "srs-records.xml", transport, keys: ears.keys });
      const name = `records-${transport}`;
      await server.connector(name, `sip:recorder@127.0.0.1:${recorder.port};transport=${transport}`);
      const call = await converse(t, server);
      const sid = await fork(call.callSid, name, `/${name}`);
      await customer.called(`/${name}`, { SiprecEvent: "siprec-started", SiprecSid: sid });
      await until("two seconds of audio at the recorder", () =>
        [ears.inbound, ears.outbound].every((ear) => ear.heard().packets >= 100),
      );
      await server.twilio().calls(call.callSid).siprec(sid).update({ status: "stopped" });
      await recorder.succeeded();
      await customer.called(`/${name}`, { SiprecEvent: "siprec-stopped", SiprecSid: sid });
      await assertUndisturbed(call);

      for (const [ear, voice] of [
        [ears.inbound, "alice"],
        [ears.outbound, "bob"],
      ] as const) {
        const samples = samplesOf(ear);
        assert.equal(ear.heard().lost, 0);
        assertIsVoice(samples, voice);
        assert.deepEqual([...ear.otherPayloads().keys()], []);
      }
      assert.ok(customer.at(`/${name}`).every(({ signed }) => signed));
    });
  }

  it("[R3261-18.1.1-1] an INVITE above 1,300 octets goes by TCP although the connector says UDP", async (t) => {
    const ears = await openEars(t);
    const recorder = await Sipp.start(t, { scenario: "srs-records.xml", transport: "tcp", keys: ears.keys });
    await server.connector("large", `sip:recorder@127.0.0.1:${recorder.port}`);
    const call = await converse(t, server);
    const sid = await fork(call.callSid, "large", "/large");
    await customer.called("/large", { SiprecEvent: "siprec-started" });
    await server.twilio().calls(call.callSid).siprec(sid).update({ status: "stopped" });
    await recorder.succeeded();
    const invite = await recorder.message("the INVITE", ({ message }) => message.kind === "request");
    assert.ok(invite.bytes.length > 1_300);
    assert.match(invite.message.headers.get("Via") ?? "", /^SIP\/2\.0\/TCP /);
  });

  it("it ends the session when the call ends", async (t) => {
    const ears = await openEars(t);
    const recorder = await Sipp.start(t, { scenario: "srs-records.xml", transport: "tcp", keys: ears.keys });
    await server.connector("call-ends", `sip:recorder@127.0.0.1:${recorder.port};transport=tcp`);
    const call = await converse(t, server);
    await fork(call.callSid, "call-ends", "/call-ends");
    await customer.called("/call-ends", { SiprecEvent: "siprec-started" });
    await call.alice.hangUp();
    await recorder.succeeded();
    await customer.called("/call-ends", { SiprecEvent: "siprec-stopped" });
  });

  it("one that answers 503 makes the next of the list be tried", async (t) => {
    const ears = await openEars(t);
    const first = await Sipp.start(t, { scenario: "srs-overloaded.xml", transport: "tcp" });
    const second = await Sipp.start(t, { scenario: "srs-records.xml", transport: "tcp", keys: ears.keys });
    const uris = [first, second].map(({ port }) => `sip:recorder@127.0.0.1:${port};transport=tcp`);
    await server.connector("fail-over", ...uris);
    const call = await converse(t, server);
    const sid = await fork(call.callSid, "fail-over", "/fail-over");
    await customer.called("/fail-over", { SiprecEvent: "siprec-started" });
    await first.succeeded();
    await until("audio", () => ears.outbound.heard().packets > 20);
    await server.twilio().calls(call.callSid).siprec(sid).update({ status: "stopped" });
    await second.succeeded();
    await assertUndisturbed(call);
  });

  const refusals = [
    { scenario: "srs-refuses-media.xml", status: "488", code: "32102" },
    { scenario: "srs-overloaded.xml", status: "503", code: "32011" },
    { scenario: "srs-plain-phone.xml", status: "420", code: "31924" },
  ];
  for (const { scenario, status, code } of refusals) {
    it(`[R7245-3.1-2] [R7245-3.2-2] one that answers ${status} is told as siprec-error ${code}; the call goes on`, async (t) => {
      const recorder = await Sipp.start(t, { scenario, transport: "tcp" });
      await server.connector(`refuses-${status}`, `sip:recorder@127.0.0.1:${recorder.port};transport=tcp`);
      const call = await converse(t, server);
      await fork(call.callSid, `refuses-${status}`, `/refuses-${status}`);
      const { parameters, signed } = await customer.called(`/refuses-${status}`, {
        SiprecEvent: "siprec-error",
      });
      assert.equal(parameters.SiprecErrorCode, code);
      assert.match(parameters.SiprecError ?? "", new RegExp(status));
      assert.equal(signed, true);
      await recorder.succeeded();
      await assertUndisturbed(call);
    });
  }

  it("[R7245-3.2-2] one that never answers is given up with CANCEL and told as siprec-error 31901; the call goes on", async (t) => {
    const recorder = await Sipp.start(t, { scenario: "srs-never-answers.xml", transport: "tcp" });
    await server.connector("silent", `sip:recorder@127.0.0.1:${recorder.port};transport=tcp`);
    const call = await converse(t, server);
    await fork(call.callSid, "silent", "/silent");
    const { parameters } = await customer.called("/silent", { SiprecEvent: "siprec-error" });
    assert.equal(parameters.SiprecErrorCode, "31901");
    await recorder.succeeded();
    await assertUndisturbed(call);
  });

  it("[R7245-3.2-2] one that is not there is told as siprec-error 31902; the call goes on", async (t) => {
    await server.connector("absent", `sip:recorder@127.0.0.1:${await freePort()};transport=tcp`);
    const call = await converse(t, server);
    await fork(call.callSid, "absent", "/absent");
    const { parameters } = await customer.called("/absent", { SiprecEvent: "siprec-error" });
    assert.equal(parameters.SiprecErrorCode, "31902");
    await assertUndisturbed(call);
  });

  it("one that hangs up is replaced by the next of the list; the call goes on", async (t) => {
    const [ears, laterEars] = [await openEars(t), await openEars(t)];
    const hangsUp = {
      scenario: "srs-hangs-up.xml",
      transport: "tcp",
      keys: ears.keys,
      pauseMs: 500,
    } as const;
    const first = await Sipp.start(t, hangsUp);
    const later = { scenario: "srs-records.xml", transport: "tcp", keys: laterEars.keys } as const;
    const second = await Sipp.start(t, later);
    const uris = [first, second].map(({ port }) => `sip:recorder@127.0.0.1:${port};transport=tcp`);
    await server.connector("hangs-up", ...uris);
    const call = await converse(t, server);
    const sid = await fork(call.callSid, "hangs-up", "/hangs-up");
    await first.succeeded();
    await until("audio at the second recorder", () => laterEars.outbound.heard().packets > 50);
    await server.twilio().calls(call.callSid).siprec(sid).update({ status: "stopped" });
    await second.succeeded();
    await customer.called("/hangs-up", { SiprecEvent: "siprec-stopped" });
    assert.deepEqual(
      customer.at("/hangs-up").filter(({ parameters }) => parameters.SiprecEvent === "siprec-error"),
      [],
    );
    assertIsVoice(samplesOf(laterEars.outbound), "bob");
    await assertUndisturbed(call);
  });

  it("one that a document names is called too, with the document's parameters", async (t) => {
    const ears = await openEars(t);
    const recorder = await Sipp.start(t, { scenario: "srs-records.xml", transport: "tcp", keys: ears.keys });
    await server.connector("by-document", `sip:recorder@127.0.0.1:${recorder.port};transport=tcp`);
    const attributes = `name="the fork" connectorName="by-document" statusCallback="${customer.url("/by-document")}"`;
    const verbs = `<Start><Siprec ${attributes}><Parameter name="case" value="4711 &amp; more"/></Siprec></Start>`;
    const call = await converse(t, server, { verbs });
    await customer.called("/by-document", { SiprecEvent: "siprec-started", SiprecName: "the fork" });
    await server.twilio().calls(call.callSid).siprec("the fork").update({ status: "stopped" });
    await recorder.succeeded();
    const invite = await recorder.message("the INVITE", ({ message }) => message.kind === "request");
    const text = Buffer.from(invite.bytes).toString("utf8");
    assert.match(text, /<Parameter name="case" value="4711 &amp; more"\s*\/>/);
  });
});
