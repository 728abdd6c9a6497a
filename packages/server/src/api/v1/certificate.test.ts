import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { type TestContext, test } from "node:test";
import { NO_OPENSSL, TestAuthority } from "../../net/testing/certificates.ts";
import { conforms } from "../testing/conforms.ts";
import { fakeApi } from "../testing/fakes.ts";
import { CONNECTOR_SCHEMA } from "./connectors.ts";
import { TRUNK_SCHEMA } from "./trunks.ts";

const skip = NO_OPENSSL;
const CONNECTOR = { UniqueName: "vault", SipUri: "sip:srs@192.0.2.1:5061;transport=tls" };

interface Shown {
  readonly certificate: Record<string, unknown> | null;
  readonly has_private_key: boolean;
  readonly certificate_authority: Record<string, unknown>[];
}

function material(t: TestContext) {
  const authority = new TestAuthority(t, "Recorder authority");
  const { certificate, key } = authority.issue("DNS:src.example.com,URI:sip:src.example.com");
  return { authority, certificate, key, ca: authority.ca };
}

/** The middle of a key: what nobody but the connection may see. */
const coreOf = (pem: string) => pem.split("\n")[1] ?? "";

test("connectors and trunks: certificate, key and authorities go in; subject and dates come out, the key never", {
  skip,
}, async (t) => {
  const { ask, store, lines } = await fakeApi();
  const { certificate, key, ca } = material(t);
  const given = { Certificate: certificate + ca, PrivateKey: key, CertificateAuthority: ca };
  const connector = await ask("POST", "/v1/Connectors", { ...CONNECTOR, ...given });
  const trunk = await ask("POST", "/v1/Trunks", { UniqueName: "carrier", ...given });
  conforms(CONNECTOR_SCHEMA, connector.json());
  conforms(TRUNK_SCHEMA, trunk.json());
  for (const answer of [connector, trunk]) {
    assert.equal(answer.status, 201, answer.text);
    const shown = answer.json() as unknown as Shown;
    assert.equal(shown.has_private_key, true);
    assert.equal(shown.certificate?.subject, "CN=leaf");
    assert.equal(shown.certificate?.issuer, "CN=Recorder authority");
    const names = ["DNS:src.example.com", "URI:sip:src.example.com"];
    assert.deepEqual(shown.certificate?.subject_alternative_names, names);
    assert.ok(Date.parse(String(shown.certificate?.valid_to)) > Date.now());
    assert.deepEqual(
      shown.certificate_authority.map(({ subject }) => subject),
      ["CN=Recorder authority"],
    );
  }
  const [row] = store.connectorRows;
  assert.ok(row?.secrets.privateKey?.includes(coreOf(key)));
  assert.equal(row?.certificate?.match(/BEGIN CERTIFICATE/g)?.length, 2, "the chain is kept");
  assert.ok(store.trunkRows[0]?.privateKey?.includes(coreOf(key)));
  const texts = [connector.text, trunk.text, (await ask("GET", "/v1/Connectors")).text, ...lines];
  for (const text of [...texts, (await ask("GET", "/v1/Trunks")).text]) {
    assert.ok(!text.includes(coreOf(key)) && !text.includes("PRIVATE KEY"));
  }
});

test("a change keeps what it does not name; an empty certificate clears the key with it", {
  skip,
}, async (t) => {
  const { ask } = await fakeApi();
  const { certificate, key, ca } = material(t);
  await ask("POST", "/v1/Connectors", { ...CONNECTOR, Certificate: certificate, PrivateKey: key });
  const change = async (body: Record<string, string>) =>
    (await ask("POST", "/v1/Connectors/vault", body)).json() as unknown as Shown;
  assert.equal((await change({ Username: "u" })).has_private_key, true);
  const trusting = await change({ CertificateAuthority: ca });
  assert.deepEqual([trusting.has_private_key, trusting.certificate_authority.length], [true, 1]);
  const cleared = await change({ Certificate: "" });
  assert.deepEqual([cleared.certificate, cleared.has_private_key], [null, false]);
  assert.equal(cleared.certificate_authority.length, 1);
  assert.equal((await change({ CertificateAuthority: "" })).certificate_authority.length, 0);
});

test("certificates that cannot serve are refused with 400, and the answer says why", { skip }, async (t) => {
  const { ask, lines } = await fakeApi();
  const { authority, certificate, key, ca } = material(t);
  const expired = authority.issue("DNS:src.example.com", { days: -1 });
  const encrypted = spawnSync("openssl", ["pkey", "-aes256", "-passout", "pass:x"], { input: key }).stdout;
  const cases: [Record<string, string>, RegExp][] = [
    [{ Certificate: certificate }, /go together/],
    [{ PrivateKey: key }, /go together/],
    [{ Certificate: "", PrivateKey: key }, /go together/],
    [{ Certificate: certificate, PrivateKey: expired.key }, /not the key of the first certificate/],
    [{ Certificate: ca + certificate, PrivateKey: key }, /not the key of the first certificate/],
    [{ Certificate: expired.certificate, PrivateKey: expired.key }, /CN=leaf has expired on/],
    [{ CertificateAuthority: expired.certificate }, /CertificateAuthority: CN=leaf has expired on/],
    [{ Certificate: "hello", PrivateKey: key }, /Certificate must be in PEM/],
    [{ Certificate: certificate.replace(/\n.{8}/, "\nAAAAAAAA"), PrivateKey: key }, /cannot be read/],
    [{ Certificate: certificate + key, PrivateKey: key }, /holds a private key/],
    [{ Certificate: certificate, PrivateKey: certificate }, /PrivateKey must be a private key in PEM/],
    [{ Certificate: certificate, PrivateKey: String(encrypted) }, /not encrypted/],
    [{ CertificateAuthority: ca.repeat(33) }, /32 certificates at most/],
    [{ Certificate: "x".repeat(32_769), PrivateKey: key }, /32768 characters/],
  ];
  for (const [fields, message] of cases) {
    for (const [path, code, rest] of [
      ["/v1/Connectors", 31942, CONNECTOR],
      ["/v1/Trunks", 20422, { UniqueName: "carrier" }],
    ] as const) {
      const answer = await ask("POST", path, { ...rest, ...fields });
      assert.deepEqual([answer.status, answer.json().code], [400, code], String(message));
      assert.match(String(answer.json().message), message);
      assert.ok(!answer.text.includes(coreOf(key)));
    }
  }
  assert.ok(lines.every((line) => !line.includes(coreOf(key))));
});

test("trunks: names of certificates are kept in one spelling; what no certificate can stand for is refused", async () => {
  const { ask } = await fakeApi();
  const names = "sip:PBX.example.com, edge.example.com pbx.example.com";
  const made = await ask("POST", "/v1/Trunks", { UniqueName: "t", AllowedCertificateNames: names });
  assert.equal(made.status, 201, made.text);
  assert.deepEqual(made.json().allowed_certificate_names, ["pbx.example.com", "edge.example.com"]);
  const kept = await ask("POST", "/v1/Trunks/t", { Username: "u" });
  assert.equal((kept.json().allowed_certificate_names as object[]).length, 2);
  const cleared = await ask("POST", "/v1/Trunks/t", { AllowedCertificateNames: "" });
  assert.deepEqual(cleared.json().allowed_certificate_names, []);
  for (const bad of ["*.example.com", "sip:alice@example.com", "https://example.com"]) {
    const answer = await ask("POST", "/v1/Trunks/t", { AllowedCertificateNames: bad });
    assert.deepEqual([answer.status, answer.json().code], [400, 20422]);
    assert.match(String(answer.json().message), /which no certificate can stand for/);
  }
});
