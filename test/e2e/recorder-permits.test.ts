import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { NO_OPENSSL, TestAuthority } from "../../packages/server/src/net/testing/certificates.ts";
import { converse } from "../interop/support/conversation.ts";
import { Customer } from "../interop/support/customer.ts";
import { Owned } from "../interop/support/owned.ts";
import { freePort } from "../interop/support/ports.ts";
import { recordedBothVoices } from "../interop/support/recorded.ts";
import { TestServer } from "../interop/support/server.ts";
import { until } from "../interop/support/waiting.ts";

const LOCALHOST = "127.0.0.1";

function owned(t: TestContext): Owned {
  const own = new Owned();
  t.after(() => own.release());
  return own;
}

/** Starts one fork of the call after the other to these connectors; what the status callbacks said of each. */
async function outcomes(
  server: TestServer,
  customer: Customer,
  callSid: string,
  connectors: Readonly<Record<string, "siprec-started" | "siprec-error">>,
): Promise<Record<string, string | undefined>> {
  const found: Record<string, string | undefined> = {};
  for (const [connectorName, event] of Object.entries(connectors)) {
    const statusCallback = customer.url(`/${connectorName}`);
    await server
      .twilio()
      .calls(callSid)
      .siprec.create({ connectorName, name: connectorName, statusCallback });
    const { parameters } = await customer.called(`/${connectorName}`, { SiprecEvent: event });
    found[connectorName] = parameters.SiprecError;
  }
  return found;
}

test("[R6341-025] a recorder that knows its clients by certificate alone takes the one it names, from an address that may not record", {
  skip: NO_OPENSSL,
}, async (t) => {
  const own = owned(t);
  const authority = new TestAuthority(t);
  // Both nodes answer with it; whom a node calls it shows it, too, unless the connector has one of its own.
  const { certificateFile, keyFile } = authority.issue(`IP:${LOCALHOST}`);
  const [port, tlsPort] = [await freePort(), await freePort()];
  const recorder = await TestServer.start(own, {
    command: "record",
    flags: [
      ...["--sip-listen", `tcp:${LOCALHOST}:${port},tls:${LOCALHOST}:${tlsPort}`],
      ...["--tls-certificate", certificateFile, "--tls-key", keyFile, "--tls-ca", authority.caFile],
      ...["--tls-client-certificates", "optional", "--recorder-allowed-addresses", "192.0.2.0/24"],
      ...["--recorder-allowed-certificate-names", "src.example.com"],
    ],
  });
  const [ourPort, ourTlsPort] = [await freePort(), await freePort()];
  const listen = `udp:${LOCALHOST}:${ourPort},tcp:${LOCALHOST}:${ourPort},tls:${LOCALHOST}:${ourTlsPort}`;
  const server = await TestServer.start(own, {
    flags: ["--sip-listen", listen, "--tls-certificate", certificateFile, "--tls-key", keyFile],
  });
  const customer = await Customer.open(own);
  const SipUri = `sip:recorder@${LOCALHOST}:${tlsPort};transport=tls`;
  const trusting = { SipUri, CertificateAuthority: authority.ca };
  const fieldsOf = (name: string) => {
    const { certificate, key } = authority.issue(name);
    return { Certificate: certificate, PrivateKey: key };
  };
  for (const [UniqueName, fields] of [
    ["named", { ...trusting, ...fieldsOf("URI:sip:src.example.com") }],
    ["other", { ...trusting, ...fieldsOf("DNS:other.example.com") }],
    ["nobody", trusting],
    ["address", { SipUri: `sip:recorder@${LOCALHOST}:${port};transport=tcp` }],
  ] as const) {
    await server.post("/v1/Connectors", { UniqueName, ...fields });
  }
  const { callSid, alice } = await converse(own, server);
  const errors = await outcomes(server, customer, callSid, {
    named: "siprec-started",
    other: "siprec-error",
    nobody: "siprec-error",
    address: "siprec-error",
  });
  for (const name of ["other", "nobody", "address"]) assert.match(errors[name] ?? "", /403/, name);
  await until("a second of audio", () => alice.heard().packets > 100);
  await alice.hangUp();
  await recordedBothVoices(recorder);
});

test("[R6341-025] a recorder that asks by digest takes our recording client's Username and Password, and no others", async (t) => {
  const own = owned(t);
  const recorder = await TestServer.start(own, {
    command: "record",
    env: { CALLFORK_RECORDER_USERNAME: "src", CALLFORK_RECORDER_PASSWORD: "open sesame" },
  });
  const server = await TestServer.start(own);
  const customer = await Customer.open(own);
  const SipUri = recorder.recorderUri;
  await server.post("/v1/Connectors", {
    UniqueName: "right",
    SipUri,
    Username: "src",
    Password: "open sesame",
  });
  await server.post("/v1/Connectors", { UniqueName: "wrong", SipUri, Username: "src", Password: "guess" });
  await server.post("/v1/Connectors", { UniqueName: "none", SipUri });
  const { callSid, alice } = await converse(own, server);
  const errors = await outcomes(server, customer, callSid, {
    right: "siprec-started",
    wrong: "siprec-error",
    none: "siprec-error",
  });
  assert.match(errors.wrong ?? "", /401/);
  assert.match(errors.none ?? "", /401/);
  await until("a second of audio", () => alice.heard().packets > 100);
  // Pause and resume are re-INVITEs: they carry credentials too.
  for (const status of ["paused", "in-progress"]) {
    const path = `/2010-04-01/Accounts/${server.accountSid}/Calls/${callSid}/Siprec/right.json`;
    await server.post(path, { Status: status });
  }
  await customer.called("/right", { SiprecEvent: "siprec-resumed" });
  await alice.hangUp();
  await customer.called("/right", { SiprecEvent: "siprec-stopped" });
  await until("one whole recording", async () => {
    const { recordings } = await recorder.get<{ recordings: { status: string }[] }>("/v1/Recordings");
    return recordings.length === 1 && recordings[0]?.status === "completed";
  });
});
