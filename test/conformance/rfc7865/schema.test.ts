import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { writeRecordingMetadata, writeSnapshotRequest } from "@callfork/protocol/siprec";
import fc from "fast-check";
import { arbMetadata } from "./arbitrary-metadata.ts";

const SCHEMA = resolve(import.meta.dirname, "../../../../shared/data/rs-metadata.xsd");
const hasXmllint = spawnSync("xmllint", ["--version"]).status === 0;
const missing = !hasXmllint
  ? "xmllint is not installed"
  : !existsSync(SCHEMA)
    ? "the schema file is not beside the checkout"
    : false;

/** The one declaration the schema imports from W3C; without it libxml2 refuses the schema. */
const XML_XSD = `<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="http://www.w3.org/XML/1998/namespace">
  <xs:attribute name="lang"><xs:simpleType><xs:union memberTypes="xs:language">
    <xs:simpleType><xs:restriction base="xs:string"><xs:enumeration value=""/></xs:restriction></xs:simpleType>
  </xs:union></xs:simpleType></xs:attribute>
</xs:schema>`;

const CATALOG = `<catalog xmlns="urn:oasis:names:tc:entity:xmlns:xml:catalog">
  <system systemId="https://www.w3.org/2001/xml.xsd" uri="xml.xsd"/>
  <uri name="https://www.w3.org/2001/xml.xsd" uri="xml.xsd"/>
</catalog>`;

test("[R7865-5.1.2-1] [R7865-6.1-3] [R7865-X-2] [R7865-7-1] every document written is valid by the schema of RFC 7865", {
  skip: missing,
}, () => {
  const folder = mkdtempSync(join(tmpdir(), "callfork-schema-"));
  try {
    writeFileSync(join(folder, "xml.xsd"), XML_XSD);
    writeFileSync(join(folder, "catalog.xml"), CATALOG);
    const documents = fc
      .sample(arbMetadata, { numRuns: 150, seed: 7865 })
      .map((it) => writeRecordingMetadata(it));
    documents.push(
      writeSnapshotRequest(),
      writeSnapshotRequest({ reason: "lost <state> & more", lang: "en" }),
    );
    const names = documents.map((document, at) => {
      writeFileSync(join(folder, `${at}.xml`), document);
      return `${at}.xml`;
    });
    const run = spawnSync("xmllint", ["--nonet", "--noout", "--schema", SCHEMA, ...names], {
      cwd: folder,
      env: { ...process.env, XML_CATALOG_FILES: join(folder, "catalog.xml") },
      encoding: "utf8",
    });
    const complaints = run.stderr.split("\n").filter((line) => line !== "" && !/validates$/.test(line));
    assert.deepEqual(complaints, []);
    assert.equal(run.status, 0);
    assert.equal(run.stderr.match(/validates$/gm)?.length, documents.length);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
