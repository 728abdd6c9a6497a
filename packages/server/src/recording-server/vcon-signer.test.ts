import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { generalVerify, importX509 } from "jose";
import { createVconSigner } from "./vcon-signer.ts";

const skip = spawnSync("openssl", ["version"]).status === 0 ? false : "openssl is not installed";
const folder = mkdtempSync(join(tmpdir(), "callfork-vcon-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const openssl = (...args: readonly string[]) =>
  execFileSync("openssl", args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });

function certificate(name: string, ...newKey: readonly string[]) {
  const subject = ["-subj", `/CN=${name}.example.com`, "-days", "2"];
  openssl("req", "-x509", "-nodes", ...newKey, "-keyout", `${name}.key`, "-out", `${name}.pem`, ...subject);
  const read = (file: string) => readFileSync(join(folder, file), "utf8");
  return { certificate: read(`${name}.pem`), key: read(`${name}.key`) };
}

interface Signed {
  readonly payload: string;
  readonly signatures: {
    readonly protected: string;
    readonly header: { readonly x5c: string[]; readonly uuid: string };
    readonly signature: string;
  }[];
}

const VCON = { vcon: "0.4.0", uuid: "01234567-89ab-8def-8123-456789abcdef", parties: [{ name: "Älice" }] };

for (const [kind, alg, newKey] of [
  ["rsa", "RS256", ["-newkey", "rsa:2048"]],
  ["ec", "ES256", ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]],
] as const) {
  test(`a signed vCon is a general JWS that openssl and jose verify (${alg})`, { skip }, async () => {
    const pem = certificate(kind, ...newKey);
    const signed = (await createVconSigner(pem).sign(VCON)) as Signed;
    assert.deepEqual(Object.keys(signed).sort(), ["payload", "signatures"]);
    const [one] = signed.signatures;
    assert.ok(one);
    assert.deepEqual(JSON.parse(Buffer.from(one.protected, "base64url").toString()), { alg });
    assert.equal(one.header.uuid, VCON.uuid);
    assert.deepEqual(JSON.parse(Buffer.from(signed.payload, "base64url").toString()), VCON);
    const shown = new X509Certificate(Buffer.from(one.header.x5c[0]!, "base64"));
    assert.match(shown.subject, new RegExp(`${kind}.example.com`));

    const key = await importX509(shown.toString(), alg);
    await generalVerify(signed as Parameters<typeof generalVerify>[0], key);
    const changed = {
      ...signed,
      payload: Buffer.from(JSON.stringify({ ...VCON, a: 1 })).toString("base64url"),
    };
    await assert.rejects(generalVerify(changed as Parameters<typeof generalVerify>[0], key));

    writeFileSync(join(folder, "signed"), `${one.protected}.${signed.payload}`);
    const raw = Buffer.from(one.signature, "base64url");
    writeFileSync(join(folder, "signature"), alg === "RS256" ? raw : derOf(raw));
    writeFileSync(join(folder, "shown.pem"), shown.toString());
    writeFileSync(join(folder, "public.pem"), openssl("x509", "-in", "shown.pem", "-pubkey", "-noout"));
    const verified = openssl(
      ...["dgst", "-sha256", "-verify", "public.pem", "-signature", "signature", "signed"],
    );
    assert.match(verified.toString(), /Verified OK/);
  });
}

/** ECDSA's two numbers as openssl wants them: JWS has them side by side (RFC 7518 §3.4). */
function derOf(raw: Buffer): Buffer {
  const integer = (octets: Buffer): Buffer => {
    let from = 0;
    while (from < octets.length - 1 && octets[from] === 0) from++;
    const short = octets.subarray(from);
    const body = (short[0]! & 0x80) === 0 ? short : Buffer.concat([Buffer.of(0), short]);
    return Buffer.concat([Buffer.of(2, body.length), body]);
  };
  const body = Buffer.concat([integer(raw.subarray(0, 32)), integer(raw.subarray(32))]);
  return Buffer.concat([Buffer.of(0x30, body.length), body]);
}

test("a key that is another's, of another kind or unreadable is refused at once", { skip }, () => {
  const one = certificate("one", "-newkey", "rsa:2048");
  const two = certificate("two", "-newkey", "rsa:2048");
  const weak = certificate("weak", "-newkey", "rsa:1024");
  const refused = { code: "VCON_NOT_SIGNABLE" };
  assert.throws(() => createVconSigner({ ...one, key: two.key }), refused);
  assert.throws(() => createVconSigner(weak), refused);
  assert.throws(() => createVconSigner({ ...one, key: "nonsense" }), refused);
  assert.throws(() => createVconSigner({ ...one, certificate: "" }), refused);
  const { privateKey } = generateKeyPairSync("ed25519");
  const key = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  assert.throws(() => createVconSigner({ ...one, key }), refused);
});

test("a chain is shown whole, the signer first", { skip }, async () => {
  const leaf = certificate("leaf", "-newkey", "rsa:2048");
  const root = certificate("root", "-newkey", "rsa:2048");
  const signer = createVconSigner({ ...leaf, certificate: `${leaf.certificate}\n${root.certificate}` });
  const { signatures } = (await signer.sign(VCON)) as Signed;
  const names = signatures[0]!.header.x5c.map(
    (one) => new X509Certificate(Buffer.from(one, "base64")).subject,
  );
  assert.deepEqual(names, ["CN=leaf.example.com", "CN=root.example.com"]);
});
