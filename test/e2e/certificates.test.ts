import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { type TestContext, test } from "node:test";
import { createResolver, createSipTransports, createSystemClock } from "@callfork/server/net";
import { createUserAgent, type IncomingInvite, type InviteFailure } from "@callfork/server/signalling";
import {
  NO_OPENSSL,
  TestAuthority,
  type TestCertificate,
} from "../../packages/server/src/net/testing/certificates.ts";
import { converse } from "../interop/support/conversation.ts";
import { Customer } from "../interop/support/customer.ts";
import { Owned } from "../interop/support/owned.ts";
import { freePort } from "../interop/support/ports.ts";
import { TestServer } from "../interop/support/server.ts";
import { until } from "../interop/support/waiting.ts";
import { memoryLog } from "../simulated/pair.ts";

const skip = NO_OPENSSL;
const LOCALHOST = "127.0.0.1";

/** A platform with a TLS listener; `tlsPort` tells where. */
async function tlsServer(
  own: Owned,
  options: { authority: TestAuthority; clientCertificates: "optional" | "required" },
): Promise<TestServer & { tlsPort: number }> {
  const { authority, clientCertificates } = options;
  const certificate = authority.issue(`IP:${LOCALHOST}`);
  const [port, tlsPort] = [await freePort(), await freePort()];
  const server = await TestServer.start(own, {
    flags: [
      ...["--sip-listen", `udp:${LOCALHOST}:${port},tcp:${LOCALHOST}:${port},tls:${LOCALHOST}:${tlsPort}`],
      ...["--tls-certificate", certificate.certificateFile, "--tls-key", certificate.keyFile],
      ...["--tls-ca", authority.caFile, "--tls-client-certificates", clientCertificates],
    ],
  });
  return Object.assign(server, { tlsPort });
}

const fieldsOf = ({ certificate, key }: TestCertificate) => ({ Certificate: certificate, PrivateKey: key });

test("[R7245-5-1] [R6341-026] [R6341-027] [R6341-029] [R7865-10-1] [R7866-12.1-1] a connector shows its own certificate to a recorder that requires one; with none of that recorder's, a stranger's, or no trust in it, siprec-error says so", {
  skip,
}, async (t) => {
  const own = new Owned();
  t.after(() => own.release());
  const [ours, theirs] = [new TestAuthority(t, "Ours"), new TestAuthority(t, "Theirs")];
  const recorder = await tlsServer(own, { authority: theirs, clientCertificates: "required" });
  const server = await tlsServer(own, { authority: ours, clientCertificates: "optional" });
  const customer = await Customer.open(own);
  const SipUri = `sip:recorder@${LOCALHOST}:${recorder.tlsPort};transport=tls`;
  const trusting = { SipUri, CertificateAuthority: theirs.ca };
  const good = theirs.issue("URI:sip:src.example.com");
  await server.post("/v1/Connectors", { UniqueName: "good", ...trusting, ...fieldsOf(good) });
  await server.post("/v1/Connectors", { UniqueName: "none", ...trusting });
  const stranger = ours.issue("URI:sip:src.example.com");
  await server.post("/v1/Connectors", { UniqueName: "stranger", ...trusting, ...fieldsOf(stranger) });
  await server.post("/v1/Connectors", { UniqueName: "untrusting", SipUri, ...fieldsOf(good) });

  const { callSid, alice } = await converse(own, server);
  const fork = (connectorName: string) =>
    server
      .twilio()
      .calls(callSid)
      .siprec.create({
        connectorName,
        name: connectorName,
        statusCallback: customer.url(`/${connectorName}`),
      });
  // It stands while the others fail at the same recorder: they share neither connection nor fate.
  await fork("good");
  await customer.called("/good", { SiprecEvent: "siprec-started" });
  for (const [connector, code] of [
    ["none", "11220"],
    ["stranger", "11220"],
    ["untrusting", "11237"],
  ] as const) {
    await fork(connector);
    const { parameters } = await customer.called(`/${connector}`, { SiprecEvent: "siprec-error" });
    assert.equal(parameters.SiprecErrorCode, code, `${connector}: ${parameters.SiprecError}`);
  }
  assert.equal(customer.at("/good").length, 1, "the good one goes on");
  await alice.hangUp();
  await customer.called("/good", { SiprecEvent: "siprec-stopped" });
  interface Shown {
    readonly recordings: { readonly status: string; readonly source: { readonly transport: string } }[];
  }
  const recordings = await until("the recording's end", async () => {
    const found = (await recorder.get<Shown>("/v1/Recordings")).recordings;
    return found.every(({ status }) => status === "completed") && found.length > 0 ? found : undefined;
  });
  assert.deepEqual(
    recordings.map(({ source }) => source.transport),
    ["tls"],
  );
});

/** A PBX over TLS: shows a certificate, demands one, refuses calls with 486 and remembers who made them. */
async function pbx(t: TestContext, authority: TestAuthority, certificate: TestCertificate) {
  const clock = createSystemClock();
  const log = memoryLog();
  const transports = await createSipTransports({
    listen: [{ transport: "tls", address: LOCALHOST, port: 0 }],
    log,
    clock,
    tls: {
      certificate: [certificate.certificateFile],
      key: [certificate.keyFile],
      ca: authority.caFile,
      clientCertificates: "required",
    },
  });
  const random = { bytes: (length: number) => Uint8Array.from(randomBytes(length)) };
  const resolver = createResolver();
  const agent = createUserAgent({ transports, resolver, clock, random, log, userAgentName: "pbx" });
  const came: IncomingInvite[] = [];
  agent.attach({
    onInvite: (invite) => {
      came.push(invite);
      invite.reject(486);
    },
  });
  t.after(async () => {
    await agent.stop(200);
    await transports.close();
  });
  return {
    came,
    port: transports.sentBy("tls", LOCALHOST).port,
    /** @returns how the call was refused */
    call: (requestUri: string, from: string) =>
      new Promise<InviteFailure>((resolve) => {
        const sdp = `v=0\r\no=- 1 1 IN IP4 ${LOCALHOST}\r\ns=-\r\nc=IN IP4 ${LOCALHOST}\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n`;
        const body = { contentType: "application/sdp", bytes: new TextEncoder().encode(sdp) };
        const handlers = { onAnswered: () => undefined, onFailed: resolve };
        agent.invite({ requestUri, from, to: requestUri, body }, handlers);
      }),
  };
}

test("[R7866-12.1-2] a trunk comes in by the certificate of its last hop, whoever the message says is calling, and goes out with a certificate of its own", {
  skip,
}, async (t) => {
  const own = new Owned();
  t.after(() => own.release());
  const [ours, theirs] = [new TestAuthority(t, "Ours"), new TestAuthority(t, "Theirs")];
  const server = await tlsServer(own, { authority: ours, clientCertificates: "optional" });
  const known = await pbx(t, ours, ours.issue(`URI:sip:pbx.example.com,IP:${LOCALHOST}`));
  const other = await pbx(t, ours, ours.issue(`URI:sip:other.example.com,IP:${LOCALHOST}`));
  const carrier = await pbx(t, theirs, theirs.issue(`IP:${LOCALHOST}`));
  await server.number("100", { twiml: '<Response><Reject reason="busy"/></Response>' });
  const { sid } = await server.post<{ sid: string }>("/v1/Trunks", {
    UniqueName: "pbx",
    AllowedCertificateNames: "sip:pbx.example.com",
    SipUri: `sip:${LOCALHOST}:${carrier.port};transport=tls`,
    CertificateAuthority: theirs.ca,
    ...fieldsOf(theirs.issue("URI:sip:customer.example.com")),
  });

  const to = `sip:100@${LOCALHOST}:${server.tlsPort};transport=tls`;
  const trunkOf = async (peer: typeof known, from: string): Promise<string | null | undefined> => {
    assert.equal((await peer.call(to, from)).status, 486);
    const [newest] = await server.twilio().calls.list({ from, limit: 1 });
    return newest?.trunkSid;
  };
  // A new trunk is known after some seconds.
  await until("the trunk", async () => (await trunkOf(known, "sip:alice@other.example.com")) === sid);
  // The other's certificate is good, but nobody's here: it comes in because loopback may.
  assert.equal(await trunkOf(other, "sip:alice@pbx.example.com"), null);

  const twiml = "<Response><Pause/></Response>";
  await server.twilio().calls.create({ to: "+15550100", from: "+15550199", twiml });
  const invite = await until("the carrier being called", () => carrier.came[0]);
  assert.deepEqual(invite.flow.tls?.identities, ["customer.example.com"]);
  assert.match(invite.request.uri, /^sip:\+15550100@/);
});
