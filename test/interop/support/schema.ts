import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { without } from "./programs.ts";
import { scratchFolder } from "./scratch.ts";

const SCHEMA = resolve(import.meta.dirname, "../../../../shared/data/rs-metadata.xsd");

/** The one declaration that RFC 7865's schema imports from W3C. */
const XML_XSD = `<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="http://www.w3.org/XML/1998/namespace">
  <xs:attribute name="lang"><xs:simpleType><xs:union memberTypes="xs:language">
    <xs:simpleType><xs:restriction base="xs:string"><xs:enumeration value=""/></xs:restriction></xs:simpleType>
  </xs:union></xs:simpleType></xs:attribute>
</xs:schema>`;

const CATALOG = `<catalog xmlns="urn:oasis:names:tc:entity:xmlns:xml:catalog">
  <system systemId="https://www.w3.org/2001/xml.xsd" uri="xml.xsd"/>
  <uri name="https://www.w3.org/2001/xml.xsd" uri="xml.xsd"/>
</catalog>`;

/** For a test's `skip`. */
export function withoutSchema(): false | string {
  const missing = without("xmllint");
  if (missing !== false) return missing;
  return existsSync(SCHEMA) ? false : "the schema file is not beside the checkout";
}

/** What xmllint finds wrong with documents by the schema of RFC 7865; empty when they are valid. */
export function schemaComplaints(documents: readonly Uint8Array[]): string[] {
  const folder = scratchFolder("schema");
  writeFileSync(join(folder, "xml.xsd"), XML_XSD);
  writeFileSync(join(folder, "catalog.xml"), CATALOG);
  const names = documents.map((document, index) => {
    writeFileSync(join(folder, `${index}.xml`), document);
    return `${index}.xml`;
  });
  const run = spawnSync("xmllint", ["--nonet", "--noout", "--schema", SCHEMA, ...names], {
    cwd: folder,
    env: { ...process.env, XML_CATALOG_FILES: join(folder, "catalog.xml") },
    encoding: "utf8",
  });
  const lines = run.stderr.split("\n").filter((line) => line !== "");
  const complaints = lines.filter((line) => !line.endsWith(" validates"));
  const isSilent = complaints.length === 0 && (run.status !== 0 || lines.length !== documents.length);
  return isSilent
    ? [`xmllint checked ${lines.length} of ${documents.length}, exit code ${run.status}`]
    : complaints;
}
