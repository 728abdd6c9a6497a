import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { loadVoice, TestPhone } from "@callfork/testkit";
import { Owned } from "./support/owned.ts";
import { without } from "./support/programs.ts";
import { TestServer } from "./support/server.ts";
import { Sipp } from "./support/sipp.ts";
import { assertIsVoice } from "./support/voices.ts";
import { until, within } from "./support/waiting.ts";

const owned = new Owned();
let server: TestServer;

/** A number that rings `uri` and lets the caller hear what the callee does. */
async function numberThatDials(phoneNumber: string, uri: string, attributes = ""): Promise<void> {
  const noun = uri.startsWith("<") ? uri : `<Sip>${uri}</Sip>`;
  await server.number(phoneNumber, {
    twiml: `<Response><Dial answerOnBridge="true" ${attributes}>${noun}</Dial></Response>`,
  });
}

const sipUri = (port: number, transport = "udp"): string =>
  `sip:bob@127.0.0.1:${port};transport=${transport}`;

/** How the call to a number, and the one that it made, ended. */
async function statusesOf(phoneNumber: string): Promise<string[]> {
  const client = server.twilio();
  return await until("both calls over", async () => {
    const calls = await client.calls.list({ limit: 500 });
    const parent = calls.find((call) => call.to.includes(phoneNumber) && call.direction === "inbound");
    const both = calls.filter((call) => call === parent || call.parentCallSid === parent?.sid);
    const isOver = both.every(({ status }) => !["queued", "ringing", "in-progress"].includes(status));
    return parent !== undefined && isOver && both.map(({ status }) => status).sort();
  });
}

describe("SIPp as caller and callee", { skip: without("sipp"), concurrency: 4 }, () => {
  before(async () => {
    server = await TestServer.start(owned);
  });
  after(() => owned.release());

  for (const transport of ["udp", "tcp"] as const) {
    it(`the caller hangs up (${transport})`, async (t) => {
      const callee = await Sipp.start(t, { scenario: "uas-answers.xml", transport });
      const user = `caller-ends-${transport}`;
      await numberThatDials(user, sipUri(callee.port, transport));
      const target = { port: server.sipPort, user };
      const caller = await Sipp.start(t, { scenario: "uac-hangs-up.xml", transport, target, pauseMs: 500 });
      await Promise.all([caller.succeeded(), callee.succeeded()]);
      assert.deepEqual(await statusesOf(user), ["completed", "completed"]);
    });

    it(`the callee hangs up (${transport})`, async (t) => {
      const callee = await Sipp.start(t, { scenario: "uas-hangs-up.xml", transport, pauseMs: 500 });
      const user = `callee-ends-${transport}`;
      await numberThatDials(user, sipUri(callee.port, transport));
      const target = { port: server.sipPort, user };
      const caller = await Sipp.start(t, { scenario: "uac-hung-up-on.xml", transport, target });
      await Promise.all([caller.succeeded(), callee.succeeded()]);
      assert.deepEqual(await statusesOf(user), ["completed", "completed"]);
    });

    it(`the caller gives up while it rings (${transport})`, async (t) => {
      const callee = await Sipp.start(t, { scenario: "uas-rings-for-ever.xml", transport });
      const user = `caller-cancels-${transport}`;
      await numberThatDials(user, sipUri(callee.port, transport));
      const target = { port: server.sipPort, user };
      const caller = await Sipp.start(t, { scenario: "uac-cancels-while-ringing.xml", transport, target });
      await Promise.all([caller.succeeded(), callee.succeeded()]);
      assert.deepEqual(await statusesOf(user), ["canceled", "canceled"]);
    });
  }

  it("a caller by TCP reaches a callee by UDP", async (t) => {
    const callee = await Sipp.start(t, { scenario: "uas-answers.xml", transport: "udp" });
    await numberThatDials("tcp-to-udp", sipUri(callee.port));
    const target = { port: server.sipPort, user: "tcp-to-udp" };
    const caller = await Sipp.start(t, {
      scenario: "uac-hangs-up.xml",
      transport: "tcp",
      target,
      pauseMs: 200,
    });
    await Promise.all([caller.succeeded(), callee.succeeded()]);
  });

  it("a busy callee makes the caller hear 486", async (t) => {
    const callee = await Sipp.start(t, { scenario: "uas-busy.xml" });
    await numberThatDials("busy", sipUri(callee.port));
    const target = { port: server.sipPort, user: "busy" };
    const caller = await Sipp.start(t, { scenario: "uac-callee-busy.xml", target });
    await Promise.all([caller.succeeded(), callee.succeeded()]);
    assert.deepEqual(await statusesOf("busy"), ["busy", "busy"]);
  });

  it("a callee that never answers is canceled after the timeout, and the caller refused", async (t) => {
    const callee = await Sipp.start(t, { scenario: "uas-rings-for-ever.xml" });
    await numberThatDials("rings", sipUri(callee.port), 'timeout="1"');
    const target = { port: server.sipPort, user: "rings" };
    const caller = await Sipp.start(t, { scenario: "uac-nobody-answers.xml", target });
    await Promise.all([caller.succeeded(), callee.succeeded()]);
    assert.deepEqual(await statusesOf("rings"), ["no-answer", "no-answer"]);
  });

  it("a number that nobody has is 404", async (t) => {
    const target = { port: server.sipPort, user: "nobody-has-this" };
    const caller = await Sipp.start(t, { scenario: "uac-unknown-number.xml", target });
    await caller.succeeded();
  });

  it("a callee that asks for digest credentials gets them", async (t) => {
    const callee = await Sipp.start(t, { scenario: "uas-wants-credentials.xml" });
    const noun = `<Sip username="callfork" password="a secret">${sipUri(callee.port)}</Sip>`;
    await numberThatDials("digest", noun);
    const target = { port: server.sipPort, user: "digest" };
    const caller = await Sipp.start(t, { scenario: "uac-hangs-up.xml", target, pauseMs: 200 });
    await Promise.all([caller.succeeded(), callee.succeeded()]);
  });

  it("what the caller says arrives bit for bit at a phone", async (t) => {
    const bob = await TestPhone.open({ user: "bob", voice: loadVoice("bob") });
    t.after(() => bob.close());
    await numberThatDials("sipp-to-phone", bob.uri);
    const arrival = bob.nextCall();
    const target = { port: server.sipPort, user: "sipp-to-phone" };
    const caller = await Sipp.start(t, { scenario: "uac-hangs-up.xml", target, pauseMs: 2_500 });
    const call = await within("the phone's call", arrival);
    await caller.succeeded();
    assert.equal(await within("the end of the call", call.ended), "remote");
    const heard = call.heard();
    assert.equal(heard.lost, 0);
    assert.ok(heard.packets >= 50, `${heard.packets} packets`);
    assertIsVoice(heard.samples, "alice");
  });

  it("a phone hears itself when the callee echoes", async (t) => {
    const callee = await Sipp.start(t, { scenario: "uas-echoes.xml", echo: true });
    const alice = await TestPhone.open({ user: "alice", voice: loadVoice("alice") });
    t.after(() => alice.close());
    await numberThatDials("phone-to-echo", sipUri(callee.port));
    const call = await alice.call(`sip:phone-to-echo@127.0.0.1:${server.sipPort}`, { timeoutMs: 20_000 });
    await until("a second and a half of echo", () => call.heard().packets > 75);
    await call.hangUp();
    await callee.succeeded();
    const heard = call.heard();
    assert.equal(heard.lost, 0);
    assertIsVoice(heard.samples, "alice");
  });
});
