import { toBase64 } from "@callfork/protocol/text";
import { isKeptAsText, keptDocument, readKept, textOfKept } from "./kept-document.ts";
import type { MetadataVersion, RecordingRecord } from "./ports.ts";

/** Every metadata document of a recording: when and by what it came, what it was understood as, and as it stood. */
export function metadataHistory(record: RecordingRecord, versions: readonly MetadataVersion[]): object {
  return {
    recording_sid: record.sid,
    call_id: record.source.callId,
    versions: versions.map(({ version, time, carrier, document }) => {
      const read = readKept(document);
      const isText = isKeptAsText(document);
      return {
        version,
        time: new Date(time).toISOString(),
        carrier,
        dialect: read.ok ? read.value.dialect : null,
        namespace: read.ok ? read.value.namespace : null,
        warnings: read.ok ? read.value.warnings : [],
        error: read.ok ? null : read.error,
        metadata: read.ok ? inSnakeCase(read.value.metadata) : null,
        document: isText ? document : textOfKept(document),
        document_base64: isText ? null : toBase64(keptDocument(document).octets),
      };
    }),
  };
}

/** The model's names as the REST interface spells names. */
function inSnakeCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inSnakeCase);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [
      name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      inSnakeCase(each),
    ]),
  );
}
