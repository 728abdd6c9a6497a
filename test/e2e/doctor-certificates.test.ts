import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import {
  NO_OPENSSL,
  TestAuthority,
  type TestCertificate,
} from "../../packages/server/src/net/testing/certificates.ts";
import { Child } from "../interop/support/child.ts";
import { Owned } from "../interop/support/owned.ts";
import { freePort } from "../interop/support/ports.ts";
import { scratchFolder } from "../interop/support/scratch.ts";
import { CALLFORK } from "../interop/support/server.ts";

const owned = new Owned();
let authority: TestAuthority;

/** What doctor says of these files, and how it ends. */
async function doctor({ certificateFile, keyFile }: Pick<TestCertificate, "certificateFile" | "keyFile">) {
  const [http, sip, tls] = [await freePort(), await freePort(), await freePort()];
  const args = [
    ...["doctor", "--http-listen", `127.0.0.1:${http}`],
    ...["--sip-listen", `udp:127.0.0.1:${sip},tls:127.0.0.1:${tls}`],
    ...["--tls-certificate", certificateFile, "--tls-key", keyFile],
  ];
  const child = new Child(process.execPath, [CALLFORK, ...args], { cwd: scratchFolder("doctor") });
  const { code } = await child.ended;
  const said = child.stdout.split("\n").filter((line) => /^\S+ +TLS /.test(line));
  return { code, said: said.join("\n") };
}

describe("callfork doctor looks at certificates", { skip: NO_OPENSSL, concurrency: 2 }, () => {
  before(() => {
    authority = new TestAuthority(owned);
  });
  after(() => owned.release());

  it("one that is good for long: whom it is for and until when", async () => {
    const { code, said } = await doctor(authority.issue("DNS:sip.example.com", { days: 90 }));
    assert.equal(code, 0);
    assert.match(said, /^ok +TLS .*leaf-\d+\.pem is for DNS:sip\.example\.com; valid until \d{4}-/);
  });

  it("one that expires in two days: a warning, and the node would start", async () => {
    const { code, said } = await doctor(authority.issue("DNS:sip.example.com", { days: 2 }));
    assert.equal(code, 0);
    assert.match(said, /^warn +TLS .*valid until/);
  });

  it("one that has expired: exit code 1", async () => {
    const { code, said } = await doctor(authority.issue("DNS:sip.example.com", { days: -1 }));
    assert.equal(code, 1);
    assert.match(said, /^FAIL +TLS .*has expired/);
  });

  it("one that names nobody: peers will refuse it", async () => {
    const { code, said } = await doctor({
      certificateFile: authority.caFile,
      keyFile: join(authority.folder, "ca.key"),
    });
    assert.equal(code, 0);
    assert.match(said, /^warn +TLS .*nobody: it has no subjectAltName/);
  });

  it("a key that belongs to another one: exit code 1", async () => {
    const { certificateFile } = authority.issue("DNS:a.example");
    const { keyFile } = authority.issue("DNS:b.example");
    const { code, said } = await doctor({ certificateFile, keyFile });
    assert.equal(code, 1);
    assert.match(said, /^FAIL +TLS .*is not the key of/);
  });

  it("files that are not there, or hold something else: exit code 1, and the file's name", async () => {
    const { keyFile } = authority.issue("DNS:a.example");
    const missing = join(authority.folder, "missing.pem");
    const gone = await doctor({ certificateFile: missing, keyFile });
    assert.equal(gone.code, 1);
    assert.match(gone.said, /^FAIL +TLS .*missing\.pem/);
    const other = join(authority.folder, "other.pem");
    writeFileSync(other, "nothing of the kind\n");
    const odd = await doctor({ certificateFile: other, keyFile });
    assert.equal(odd.code, 1);
    assert.match(odd.said, /^FAIL +TLS .*other\.pem/);
  });
});
