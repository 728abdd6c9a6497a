import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const SCHEMA = resolve(import.meta.dirname, "../../../../../../shared/data/rs-metadata.xsd");
const hasXmllint = spawnSync("xmllint", ["--version"]).status === 0;

/** Why documents cannot be held against the schema of RFC 7865 here; `false` when they can. */
export const schemaMissing: string | false = !hasXmllint
  ? "xmllint is not installed"
  : !existsSync(SCHEMA) && "the schema file is not beside the checkout";

/** The one declaration the schema imports from W3C; without it libxml2 refuses the schema. */
const XML_XSD = `<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="http://www.w3.org/XML/1998/namespace">
  <xs:attribute name="lang" type="xs:string"/></xs:schema>`;
const CATALOG = `<catalog xmlns="urn:oasis:names:tc:entity:xmlns:xml:catalog">
  <system systemId="https://www.w3.org/2001/xml.xsd" uri="xml.xsd"/>
  <uri name="https://www.w3.org/2001/xml.xsd" uri="xml.xsd"/></catalog>`;

/** What xmllint has against these documents, a line each; an empty list when all of them are valid. */
export function schemaComplaints(documents: readonly (string | Uint8Array)[]): readonly string[] {
  if (documents.length === 0) return [];
  const folder = mkdtempSync(join(tmpdir(), "callfork-metadata-"));
  try {
    writeFileSync(join(folder, "xml.xsd"), XML_XSD);
    writeFileSync(join(folder, "catalog.xml"), CATALOG);
    const names = documents.map((document, at) => {
      writeFileSync(join(folder, `${at}.xml`), document);
      return `${at}.xml`;
    });
    const { stderr } = spawnSync("xmllint", ["--nonet", "--noout", "--schema", SCHEMA, ...names], {
      cwd: folder,
      env: { ...process.env, XML_CATALOG_FILES: join(folder, "catalog.xml") },
      encoding: "utf8",
      maxBuffer: 1 << 26,
    });
    const lines = stderr.split("\n").filter((line) => line !== "");
    const valid = lines.filter((line) => line.endsWith(" validates"));
    const complaints = lines.filter((line) => !line.endsWith(" validates"));
    if (complaints.length > 0 || valid.length === names.length) return complaints;
    return [`only ${valid.length} of ${names.length} documents were judged`];
  } finally {
    rmSync(folder, { recursive: true });
  }
}
