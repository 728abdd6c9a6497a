import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Linphone } from "./support/linphone.ts";
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

describe("Linphone", { skip: without("linphonec"), concurrency: 2 }, () => {
  before(async () => {
    server = await TestServer.start(owned);
  });
  after(() => owned.release());

  it("as caller: both hear each other, it holds, resumes and hangs up", async (t) => {
    const bob = await openPhone(t, "bob");
    await numberThatDials("from-linphone", bob.uri);
    const alice = await Linphone.start(t, { user: "alice", voice: "alice" });
    const arrival = bob.nextCall();
    alice.command(`call sip:from-linphone@127.0.0.1:${server.sipPort}`);
    const bobs = await within("Bob's call", arrival);
    await Promise.all([hears(bobs, "alice"), alice.hears("bob")]);

    alice.command("pause");
    await alice.printed(/paused\./i);
    alice.command("resume");
    await alice.printed(/paused\.[\s\S]*Media streams established/);
    await Promise.all([hears(bobs, "alice"), alice.hears("bob")]);

    alice.command("terminate");
    assert.equal(await within("Bob's end", bobs.ended), "remote");
  });

  it("as callee by TCP: both hear each other, is put on hold and taken back, and is hung up on", async (t) => {
    const bob = await Linphone.start(t, { user: "bob", voice: "bob" });
    const alice = await openPhone(t, "alice");
    await numberThatDials("to-linphone", `${bob.uri};transport=tcp`);
    const alices = await alice.call(`sip:to-linphone@127.0.0.1:${server.sipPort}`, { timeoutMs: 20_000 });
    await Promise.all([hears(alices, "bob"), bob.hears("alice")]);

    assert.equal(await alices.hold(true), "recvonly");
    assert.equal(await alices.hold(false), "sendrecv");
    await Promise.all([hears(alices, "bob"), bob.hears("alice")]);

    await alices.hangUp();
    await bob.printed(/ended/i);
  });

  it("[R4568-5.1.2-3] as caller with SRTP, while the other speaks RTP: both hear each other, also after hold and resume", async (t) => {
    const bob = await openPhone(t, "bob");
    await numberThatDials("from-secure-linphone", bob.uri);
    const alice = await Linphone.start(t, { user: "alice", voice: "alice", mediaEncryption: "srtp" });
    const arrival = bob.nextCall();
    alice.command(`call sip:from-secure-linphone@127.0.0.1:${server.sipPort}`);
    const bobs = await within("Bob's call", arrival);
    await Promise.all([hears(bobs, "alice"), alice.hears("bob")]);
    assert.match(alice.log(), /^SIP\/2\.0 200 [\s\S]*?^m=audio \d+ RTP\/SAVP 0[\s\S]*?^a=crypto:/m);
    alice.command("pause");
    await alice.printed(/paused\./i);
    alice.command("resume");
    await alice.printed(/paused\.[\s\S]*Media streams established/);
    await Promise.all([hears(bobs, "alice"), alice.hears("bob")]);
    alice.command("terminate");
    assert.equal(await within("Bob's end", bobs.ended), "remote");
  });

  it("at both ends, forked to our recorder: keys pass, the recording holds both voices", async (t) => {
    await server.connector("recorder", server.recorderUri);
    const bob = await Linphone.start(t, { user: "bob", voice: "bob" });
    const alice = await Linphone.start(t, { user: "alice", voice: "alice" });
    const siprec = '<Start><Siprec connectorName="recorder"/></Start>';
    await server.number("both", {
      twiml: `<Response>${siprec}<Dial answerOnBridge="true"><Sip>${bob.uri}</Sip></Dial></Response>`,
    });
    alice.command(`call sip:both@127.0.0.1:${server.sipPort}`);
    await Promise.all([alice.hears("bob"), bob.hears("alice")]);
    alice.command("5");
    await bob.printed(/Receiving tone 5/i);
    await Promise.all([alice.hears("bob"), bob.hears("alice")]);
    bob.command("terminate");
    await alice.printed(/ended/i);
    await recordedBothVoices(server);
  });
});
