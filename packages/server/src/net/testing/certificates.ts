import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

export interface TestCertificate {
  readonly certificateFile: string;
  readonly keyFile: string;
  readonly certificate: string;
  readonly key: string;
}

/** Why tests with certificates cannot run; false when they can. */
export const NO_OPENSSL: string | false =
  spawnSync("openssl", ["version"]).status === 0 ? false : "the openssl program is not installed";

/** A certificate authority in a folder of its own that is gone after the test. */
export class TestAuthority {
  readonly folder: string;
  readonly caFile: string;
  #next = 1;

  constructor(t: Pick<TestContext, "after">, name = "Callfork test authority") {
    this.folder = mkdtempSync(join(tmpdir(), "callfork-ca-"));
    t.after(() => rmSync(this.folder, { recursive: true }));
    this.caFile = join(this.folder, "ca.pem");
    openssl(
      ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"],
      ["-subj", `/CN=${name}`, "-keyout", join(this.folder, "ca.key"), "-out", this.caFile],
      ["-addext", "basicConstraints=critical,CA:TRUE"],
    );
  }

  get ca(): string {
    return readFileSync(this.caFile, "utf8");
  }

  /**
   * @param subjectAltName - in openssl's words, e.g. `DNS:example.com,URI:sip:example.com`
   * @param to - files to write over, for a renewed certificate
   */
  issue(
    subjectAltName: string,
    { days = 2, to }: { days?: number; to?: TestCertificate } = {},
  ): TestCertificate {
    const stem = join(this.folder, `leaf-${this.#next++}`);
    const certificateFile = to?.certificateFile ?? `${stem}.pem`;
    const keyFile = to?.keyFile ?? `${stem}.key`;
    const extensions = `${stem}.ext`;
    writeFileSync(extensions, `subjectAltName=${subjectAltName}\nbasicConstraints=CA:FALSE\n`);
    const [newKey, newCertificate] = [`${stem}.new.key`, `${stem}.new.pem`];
    openssl(
      ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=leaf"],
      ["-keyout", newKey, "-out", `${stem}.csr`],
    );
    openssl(
      ["x509", "-req", "-in", `${stem}.csr`, "-CA", this.caFile, "-CAkey", join(this.folder, "ca.key")],
      ["-set_serial", `0x${Date.now().toString(16)}${this.#next.toString(16).padStart(4, "0")}`],
      ["-days", String(days), "-extfile", extensions, "-out", newCertificate],
    );
    const [certificate, key] = [readFileSync(newCertificate, "utf8"), readFileSync(newKey, "utf8")];
    writeFileSync(certificateFile, certificate);
    writeFileSync(keyFile, key);
    return { certificateFile, keyFile, certificate, key };
  }
}

function openssl(...args: readonly (readonly string[])[]): void {
  const run = spawnSync("openssl", args.flat(), { encoding: "utf8" });
  if (run.status !== 0) throw new Error(`openssl ${args.flat().join(" ")}: ${run.stderr}`);
}
