import { createHmac, type KeyObject } from "node:crypto";
import type { RecordingRecord } from "./ports.ts";

/** What recordings keep of what they are told (RFC 7866 §12: no more than is needed). */
export interface MetadataPolicy {
  /** `hash`: pseudonyms instead of addresses, and no names; `drop`: neither. */
  readonly participants: "keep" | "hash" | "drop";
  readonly extensionData: "keep" | "drop";
  /** Documents as they came. They tell everything: they go with either of the others. */
  readonly documents: "keep" | "drop";
  /** For pseudonyms: who has it can tell whether an address is behind one. */
  readonly pseudonymKey: KeyObject;
}

/** Whether documents are kept as they came. */
export function keepsDocuments(policy: MetadataPolicy | undefined): boolean {
  if (policy === undefined) return true;
  const { participants, extensionData, documents } = policy;
  return participants === "keep" && extensionData === "keep" && documents === "keep";
}

/** The record without what is not to be kept. */
export function minimise(record: RecordingRecord, policy: MetadataPolicy | undefined): RecordingRecord {
  if (policy === undefined) return record;
  const { participants, extensionData, pseudonymKey } = policy;
  const kept = extensionData === "keep" ? record : { ...record, extensionData: {} };
  if (participants === "keep") return kept;
  const addressOf = (aor: string) => (participants === "hash" ? pseudonym(aor, pseudonymKey) : "");
  return {
    ...kept,
    participants: kept.participants.map((one) => ({ ...one, aor: addressOf(one.aor), name: null })),
    // Who came and who went, by name.
    ...(kept.markers !== undefined && {
      markers: kept.markers.map(({ text, ...marker }) =>
        marker.kind === "transfer" || text === undefined ? marker : { ...marker, text },
      ),
    }),
  };
}

/** Equal for equal addresses, whatever their case and parameters; says nothing about them without the key. */
function pseudonym(aor: string, key: KeyObject): string {
  if (aor === "") return "";
  const address = aor.trim().toLowerCase().split(";")[0]!;
  return `pseudonym:${createHmac("sha256", key).update(address).digest("base64url").slice(0, 22)}`;
}
