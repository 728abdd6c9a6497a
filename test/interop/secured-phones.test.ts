import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { TestAuthority } from "../../packages/server/src/net/testing/certificates.ts";
import { Baresip } from "./support/baresip.ts";
import { Linphone } from "./support/linphone.ts";
import { Owned } from "./support/owned.ts";
import { freePort } from "./support/ports.ts";
import { without } from "./support/programs.ts";
import { recordedBothVoices } from "./support/recorded.ts";
import type { Owner } from "./support/scratch.ts";
import { TestServer } from "./support/server.ts";
import { until } from "./support/waiting.ts";

const owned = new Owned();
let authority: TestAuthority;

/** A node that speaks TLS beside UDP and TCP, and its own recorder by TLS with SRTP as a connector. */
async function secureServer(owner: Owner): Promise<TestServer & { readonly tlsPort: number }> {
  const certificate = authority.issue("IP:127.0.0.1");
  const [port, tlsPort] = [await freePort(), await freePort()];
  const listen = `udp:127.0.0.1:${port},tcp:127.0.0.1:${port},tls:127.0.0.1:${tlsPort}`;
  const server = await TestServer.start(owner, {
    flags: [
      ...["--sip-listen", listen, "--sip-srtp", "required", "--sip-keys-in-clear", "refused"],
      ...["--tls-certificate", certificate.certificateFile, "--tls-key", certificate.keyFile],
      ...["--tls-ca", authority.caFile],
    ],
  });
  await server.connector("recorder", `sip:recorder@127.0.0.1:${tlsPort};transport=tls;secure=true`);
  return Object.assign(server, { sipPort: port, tlsPort });
}

/** A baresip that speaks nothing but SRTP, and TLS with a certificate of its own. */
async function secureBaresip(owner: Owner, user: "alice" | "bob"): Promise<Baresip> {
  const { certificateFile, keyFile } = authority.issue("IP:127.0.0.1");
  const both = join(authority.folder, `${user}-${Date.now()}.pem`);
  writeFileSync(both, readFileSync(certificateFile, "utf8") + readFileSync(keyFile, "utf8"));
  const tls = { certificateFile: both, caFile: authority.caFile };
  return await Baresip.start(owner, { user, voice: user, account: ";mediaenc=srtp-mand", tls });
}

async function numberThatDials(server: TestServer, phoneNumber: string, uri: string): Promise<void> {
  const siprec = '<Start><Siprec connectorName="recorder"/></Start>';
  await server.number(phoneNumber, {
    twiml: `<Response>${siprec}<Dial answerOnBridge="true"><Sip>${uri}</Sip></Dial></Response>`,
  });
}

/** How the copies of the only call travel, while it lasts. */
async function encryptionOfForks(server: TestServer): Promise<(string | null)[]> {
  const account = `/2010-04-01/Accounts/${server.accountSid}`;
  const calls = await server.twilio().calls.list({ limit: 10 });
  const parent = calls.find(({ direction }) => direction === "inbound");
  const path = `${account}/Calls/${parent?.sid}/Siprec`;
  const { siprec } = await server.get<{ siprec: readonly { sid: string }[] }>(`${path}.json`);
  const { tracks } = await until("the counters of the fork", async () => {
    const fork = await server.get<{ tracks: readonly { encryption: string | null }[] }>(
      `${path}/${siprec[0]?.sid}.json`,
    );
    return fork.tracks.length > 0 && fork;
  });
  return tracks.map(({ encryption }) => encryption);
}

describe("whole calls by TLS and SRTP on every hop, between foreign phones, forked by TLS and SRTP to our recorder", {
  skip: without("baresip", "openssl"),
}, () => {
  before(() => {
    authority = new TestAuthority(owned);
  });
  after(() => owned.release());

  it("[R4568-8-3] [R4568-8-1] baresip calls baresip: both hear each other, and the recording holds both voices", async (t) => {
    const server = await secureServer(t);
    const [alice, bob] = [await secureBaresip(t, "alice"), await secureBaresip(t, "bob")];
    await numberThatDials(server, "secret", `${bob.tlsUri};secure=true`);
    await alice.command("dial", `sip:secret@127.0.0.1:${server.tlsPort};transport=tls`);
    await Promise.all([alice.event("CALL_ESTABLISHED"), bob.event("CALL_ESTABLISHED")]);
    await Promise.all([alice.hears("bob"), bob.hears("alice")]);

    // What each phone saw on its hop: TLS alone, and keys in offer and answer.
    for (const phone of [alice, bob]) {
      const [, offer = ""] = await phone.traced(/^INVITE [^\r\n]* SIP\/2\.0\r?\n([\s\S]*?)\[;m/m);
      assert.match(offer, /^Via: SIP\/2\.0\/TLS /m);
      assert.match(offer, /^m=audio \d+ RTP\/SAVP /m);
      const [, answer = ""] = await phone.traced(/^SIP\/2\.0 200 [^\r\n]*\r?\n([\s\S]*?)\[;m/m);
      assert.match(answer, /^m=audio \d+ RTP\/SAVP [\s\S]*^a=crypto:\d+ AES_CM_128_HMAC_SHA1_80 inline:/m);
    }
    const suite = "AES_CM_128_HMAC_SHA1_80";
    assert.deepEqual(await encryptionOfForks(server), [suite, suite]);
    await alice.command("hangup");
    await bob.event("CALL_CLOSED");
    const recording = await recordedBothVoices(server);
    assert.equal(recording.source.transport, "tls");
  });

  it("Linphone calls baresip: both hear each other, and the recording holds both voices", {
    skip: without("linphonec"),
  }, async (t) => {
    const server = await secureServer(t);
    const bob = await secureBaresip(t, "bob");
    const alice = await Linphone.start(t, {
      user: "alice",
      voice: "alice",
      mediaEncryption: "srtp",
      caFile: authority.caFile,
    });
    await numberThatDials(server, "secret", `${bob.tlsUri};secure=true`);
    alice.command(`call sip:secret@127.0.0.1:${server.tlsPort};transport=tls`);
    await bob.event("CALL_ESTABLISHED");
    await Promise.all([alice.hears("bob"), bob.hears("alice")]);
    assert.match(alice.log(), /^Via: SIP\/2\.0\/TLS /m);
    assert.match(alice.log(), /^SIP\/2\.0 200 [\s\S]*?^m=audio \d+ RTP\/SAVP [\s\S]*?^a=crypto:/m);
    await bob.command("hangup");
    await alice.printed(/ended/i);
    await recordedBothVoices(server);
  });

  it("whoever offers RTP in the clear is refused with 488 where SRTP is required", async (t) => {
    const server = await secureServer(t);
    const bob = await secureBaresip(t, "bob");
    await numberThatDials(server, "secret", `${bob.tlsUri};secure=true`);
    const alice = await Baresip.start(t, { user: "alice", voice: "alice" });
    await alice.command("dial", `sip:secret@127.0.0.1:${server.sipPort}`);
    await alice.traced(/^SIP\/2\.0 488 /m);
    assert.equal(
      bob.events.some(({ type }) => type === "CALL_INCOMING"),
      false,
    );
  });
});
