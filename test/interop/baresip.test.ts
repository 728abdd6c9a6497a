import assert from "node:assert/strict";
import { after, before, describe, it, type TestContext } from "node:test";
import { Baresip } from "./support/baresip.ts";
import { Owned } from "./support/owned.ts";
import { hears, openPhone } from "./support/phones.ts";
import { without } from "./support/programs.ts";
import { recordedBothVoices } from "./support/recorded.ts";
import { TestServer } from "./support/server.ts";
import { within } from "./support/waiting.ts";

const owned = new Owned();
let server: TestServer;

async function numberThatDials(phoneNumber: string, uri: string): Promise<void> {
  await server.number(phoneNumber, {
    twiml: `<Response><Dial answerOnBridge="true"><Sip>${uri}</Sip></Dial></Response>`,
  });
}

// baresip 1.0.0 stops writing what it hears once it was on hold or held, phone to phone too: its ear is asked before.
describe("baresip", { skip: without("baresip"), concurrency: 2 }, () => {
  before(async () => {
    server = await TestServer.start(owned);
  });
  after(() => owned.release());

  for (const transport of ["udp", "tcp"]) {
    it(`as caller by ${transport}: both hear each other, it holds, resumes and hangs up`, async (t) => {
      const bob = await openPhone(t, "bob");
      const dialled = `from-baresip-${transport}`;
      await numberThatDials(dialled, bob.uri);
      const alice = await Baresip.start(t, { user: "alice", voice: "alice" });
      const arrival = bob.nextCall();
      await alice.command("dial", `sip:${dialled}@127.0.0.1:${server.sipPort};transport=${transport}`);
      const bobs = await within("Bob's call", arrival);
      await alice.event("CALL_ESTABLISHED");
      await hears(bobs, "alice");
      await alice.hears("bob");

      await alice.command("hold");
      await alice.traced(/^a=sendonly\r?\n[\s\S]*^SIP\/2\.0 200 OK\r?\n[\s\S]*^a=recvonly/m);
      await alice.command("resume");
      await alice.traced(
        /^a=recvonly\r?\n[\s\S]*^a=sendrecv\r?\n[\s\S]*^SIP\/2\.0 200 OK\r?\n[\s\S]*^a=sendrecv/m,
      );
      await hears(bobs, "alice");

      await alice.command("hangup");
      assert.equal(await within("Bob's end", bobs.ended), "remote");
    });
  }

  it("as callee: both hear each other, is put on hold and taken back, and is hung up on", async (t) => {
    const bob = await Baresip.start(t, { user: "bob", voice: "bob" });
    const alice = await openPhone(t, "alice");
    await numberThatDials("to-baresip", bob.uri);
    const alices = await alice.call(`sip:to-baresip@127.0.0.1:${server.sipPort}`, { timeoutMs: 20_000 });
    await bob.event("CALL_ESTABLISHED");
    await hears(alices, "bob");
    await bob.hears("alice");

    assert.equal(await alices.hold(true), "recvonly");
    await bob.traced(/^a=sendonly\r?\n[\s\S]*^a=recvonly/m);
    assert.equal(await alices.hold(false), "sendrecv");
    await hears(alices, "bob");

    await alices.hangUp();
    await bob.event("CALL_CLOSED");
  });

  it("[R4568-5.1.2-3] as caller with RTP/SAVP, while the other speaks RTP: both hear each other, also after hold and resume", async (t) => {
    await securedCall(
      t,
      "srtp-mand",
      /^m=audio \d+ RTP\/SAVP [^\n]*\n[\s\S]*^a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:/m,
    );
  });

  it("[R4568-6-1] as caller that would like SRTP but says RTP/AVP: answered in the clear, both hear each other", async (t) => {
    await securedCall(t, "srtp", /^m=audio \d+ RTP\/AVP (?![\s\S]*^a=crypto)/m);
  });

  it("at both ends, forked to our recorder: keys pass, the recording holds both voices", async (t) => {
    await server.connector("recorder", server.recorderUri);
    const bob = await Baresip.start(t, { user: "bob", voice: "bob" });
    const alice = await Baresip.start(t, { user: "alice", voice: "alice" });
    const siprec = '<Start><Siprec connectorName="recorder"/></Start>';
    await server.number("both", {
      twiml: `<Response>${siprec}<Dial answerOnBridge="true"><Sip>${bob.uri}</Sip></Dial></Response>`,
    });
    await alice.command("dial", `sip:both@127.0.0.1:${server.sipPort}`);
    await bob.event("CALL_ESTABLISHED");
    await Promise.all([alice.hears("bob"), bob.hears("alice")]);
    for (const [from, to, key] of [
      [alice, bob, "5"],
      [bob, alice, "#"],
    ] as const) {
      await from.command("sndcode", key);
      assert.equal((await to.event("CALL_DTMF_START")).param, key);
    }
    await Promise.all([alice.hears("bob"), bob.hears("alice")]);
    await bob.command("hangup");
    await alice.event("CALL_CLOSED");

    await recordedBothVoices(server);
  });
});

/** A call from a baresip that has `mediaenc` to a phone that knows RTP only, and what the answer to it must say. */
async function securedCall(t: TestContext, mediaenc: string, answer: RegExp): Promise<void> {
  const bob = await openPhone(t, "bob");
  await numberThatDials(mediaenc, bob.uri);
  const alice = await Baresip.start(t, { user: "alice", voice: "alice", account: `;mediaenc=${mediaenc}` });
  const arrival = bob.nextCall();
  await alice.command("dial", `sip:${mediaenc}@127.0.0.1:${server.sipPort}`);
  const bobs = await within("Bob's call", arrival);
  await alice.event("CALL_ESTABLISHED");
  const [, answered = ""] = await alice.traced(/^SIP\/2\.0 200 OK\r?\n([\s\S]*?)\[;m/m);
  assert.match(answered, answer);
  await Promise.all([hears(bobs, "alice"), alice.hears("bob")]);
  await alice.command("hold");
  await alice.traced(/^a=sendonly\r?\n[\s\S]*^SIP\/2\.0 200 OK\r?\n[\s\S]*^a=recvonly/m);
  await alice.command("resume");
  await hears(bobs, "alice");
  await alice.command("hangup");
  assert.equal(await within("Bob's end", bobs.ended), "remote");
}
