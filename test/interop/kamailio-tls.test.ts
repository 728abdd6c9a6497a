import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { TestAuthority } from "../../packages/server/src/net/testing/certificates.ts";
import { assertRouted, Kamailio } from "./support/kamailio.ts";
import { hears, openPhone } from "./support/phones.ts";
import { freePort } from "./support/ports.ts";
import { without } from "./support/programs.ts";
import { TestServer } from "./support/server.ts";
import { within } from "./support/waiting.ts";

/** What OpenSSL's own client says of a handshake. */
function sClient(port: number, ...args: readonly string[]): string {
  const run = spawnSync("openssl", ["s_client", "-connect", `127.0.0.1:${port}`, ...args], {
    input: "",
    encoding: "utf8",
    timeout: 30_000,
  });
  return `${run.stdout}\n${run.stderr}`;
}

describe("Kamailio before the platform, by TLS with certificates on both sides", {
  skip: without("kamailio", "openssl"),
}, () => {
  it("[R3261-12.1-1] phones by UDP, Callfork by TLS: both hear each other, hold and resume, hang up; others do not get in", async (t) => {
    const authority = new TestAuthority(t);
    const certificate = authority.issue("IP:127.0.0.1");
    const theirs = authority.issue("IP:127.0.0.1");
    const [port, tlsPort] = [await freePort(), await freePort()];
    const server = await TestServer.start(t, {
      flags: [
        ...["--sip-listen", `udp:127.0.0.1:${port},tcp:127.0.0.1:${port},tls:127.0.0.1:${tlsPort}`],
        ...["--tls-certificate", certificate.certificateFile, "--tls-key", certificate.keyFile],
        ...["--tls-ca", authority.caFile, "--tls-client-certificates", "required"],
      ],
    });

    const withCertificate = ["-cert", theirs.certificateFile, "-key", theirs.keyFile];
    assert.match(sClient(tlsPort, "-tls1_2", ...withCertificate), /Cipher is (ECDHE|TLS)/);
    assert.match(sClient(tlsPort, "-tls1_2"), /alert handshake failure|alert number/);
    assert.match(
      sClient(tlsPort, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"),
      /alert protocol version|no protocols/,
    );
    assert.match(
      sClient(tlsPort, "-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0", ...withCertificate),
      /alert handshake failure/,
    );

    const kamailio = await Kamailio.start(t, {
      target: `sip:127.0.0.1:${tlsPort};transport=tls`,
      tls: { certificate: theirs.certificateFile, key: theirs.keyFile, ca: authority.caFile },
    });
    const [alice, bob] = [await openPhone(t, "alice"), await openPhone(t, "bob")];
    await kamailio.register(t, "bob", bob.uri);
    const uri = `sip:bob@127.0.0.1:${kamailio.tlsPort};transport=tls`;
    await server.number("secret", {
      twiml: `<Response><Dial answerOnBridge="true"><Sip>${uri}</Sip></Dial></Response>`,
    });
    await kamailio.pinged();

    const arrival = bob.nextCall();
    const alices = await alice.call(`sip:secret@127.0.0.1:${kamailio.port}`, { timeoutMs: 20_000 });
    const bobs = await within("Bob's call", arrival);
    await hears(bobs, "alice");
    await hears(alices, "bob");
    for (const call of [alices, bobs]) {
      assert.equal(await call.hold(true), "recvonly");
      assert.equal(await call.hold(false), "sendrecv");
    }
    await hears(bobs, "alice");
    await bobs.hangUp();
    assert.equal(await within("Alice's end", alices.ended), "remote");
    assertRouted(kamailio, 2);
    const ours = kamailio.lines().filter(({ userAgent }) => userAgent.startsWith("callfork/"));
    assert.ok(ours.length > 5);
    assert.deepEqual(
      ours.filter(({ transport }) => transport !== "tls"),
      [],
    );
  });
});
