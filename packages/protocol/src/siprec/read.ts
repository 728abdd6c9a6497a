import {
  decodeXml,
  err,
  ok,
  parseXml,
  type Result,
  type XmlElement,
  type XmlErrorCode,
} from "../text/index.ts";
import { childText, ElementReading, keyOf } from "./element-reading.ts";
import type { RecordingMetadata } from "./model.ts";
import { dialectOf, type MetadataDialect } from "./namespaces.ts";
import { readObjects } from "./read-objects.ts";

/** A metadata document as it was understood. */
export interface MetadataDocument {
  readonly metadata: RecordingMetadata;
  readonly dialect: MetadataDialect;
  /** Of the root element, as written. */
  readonly namespace: string;
  /** What was unusual: the document was understood all the same. At most 100. */
  readonly warnings: readonly MetadataWarning[];
}

export interface MetadataWarning {
  readonly code: MetadataWarningCode;
  readonly message: string;
}

export type MetadataWarningCode =
  /** Octets that are no text were replaced. */
  | "METADATA_ENCODING_REPAIRED"
  | "METADATA_UNKNOWN_VERSION"
  | "METADATA_UNKNOWN_NAMESPACE"
  /** Neither `complete` nor `partial`. */
  | "METADATA_BAD_DATAMODE"
  /** An object or reference without id; an object got one made from its place. */
  | "METADATA_EMPTY_ID"
  /** Ids that are not base64 of a UUID; said once. */
  | "METADATA_OPAQUE_IDS"
  /** Attributes or elements of older drafts were read as their successors; said once a kind. */
  | "METADATA_OLD_NAMES"
  /** A time that cannot be read; its text is kept. */
  | "METADATA_BAD_TIME"
  /** A time without zone, read as UTC; said once. */
  | "METADATA_TIME_WITHOUT_ZONE"
  | "METADATA_BAD_REASON"
  /** An association that does not say whose it is was left out. */
  | "METADATA_INCOMPLETE_ASSOCIATION"
  /** A `recording` inside `recording` was left out. */
  | "METADATA_NESTED_RECORDING";

/** Why there is no metadata, and where in the document; a recorder records without it. */
export interface MetadataError {
  readonly code: XmlErrorCode | "METADATA_UNKNOWN_ROOT" | "METADATA_UNEXPECTED_ROOT";
  readonly message: string;
  readonly line: number;
  readonly column: number;
}

export interface MetadataLimits {
  /** Octets of the document. */
  readonly maxBytes: number;
  readonly maxDepth: number;
  readonly maxElements: number;
  readonly maxAttributes: number;
}

export const METADATA_LIMITS: MetadataLimits = {
  maxBytes: 262_144,
  maxDepth: 32,
  maxElements: 10_000,
  maxAttributes: 64,
};

export interface ReadOptions {
  /** The charset parameter of the Content-Type: beats the XML declaration. */
  readonly charset?: string | undefined;
  readonly limits?: Partial<MetadataLimits>;
}

/** RFC 7865 §7: the recorder wants a complete document. */
export interface SnapshotRequest {
  readonly reason?: string;
  /** xml:lang of the reason. */
  readonly lang?: string;
}

export type MetadataBody =
  | ({ readonly kind: "metadata" } & MetadataDocument)
  | { readonly kind: "snapshotRequest"; readonly request: SnapshotRequest };

/**
 * Reads a metadata document liberally: whatever deployed recording clients send is mapped to one model, in any
 * order and any of the known dialects. Elements are matched by namespace and local name, never by prefix.
 *
 * Reads safely too: no DTD, nothing fetched, limits on size, depth, elements and attributes (RFC 7865 §10).
 */
export function readRecordingMetadata(
  bytes: Uint8Array,
  options: ReadOptions = {},
): Result<MetadataDocument, MetadataError> {
  const body = readSnapshotOrMetadata(bytes, options);
  if (!body.ok) return body;
  if (body.value.kind === "metadata") {
    const { kind: _, ...document } = body.value;
    return ok(document);
  }
  const message = "a snapshot request stands where metadata was expected";
  return err({ code: "METADATA_UNEXPECTED_ROOT", message, line: 1, column: 1 });
}

/**
 * Reads either document of a `recording-session` body. Both have one media type, so the root element decides
 * (RFC 7866 §11.3).
 */
export function readSnapshotOrMetadata(
  bytes: Uint8Array,
  options: ReadOptions = {},
): Result<MetadataBody, MetadataError> {
  const limits = { ...METADATA_LIMITS, ...options.limits };
  const decoded = decodeXml(bytes, { charset: options.charset, maxBytes: limits.maxBytes });
  if (!decoded.ok) return decoded;
  const parsed = parseXml(decoded.value.text, limits);
  if (!parsed.ok) return parsed;
  const root = parsed.value.root;
  if (keyOf(root) === "requestsnapshot") {
    return ok({ kind: "snapshotRequest", request: snapshotRequestOf(root) });
  }

  const dialect = dialectOf(root.namespace, root.local);
  if (dialect === undefined || (keyOf(root) !== "recording" && root.local !== "recording_metadata")) {
    const message = `the root element is <${root.name.slice(0, 64)}>, not <recording>`;
    return err({ code: "METADATA_UNKNOWN_ROOT", message, line: root.line, column: root.column });
  }
  const reading = new ElementReading(root.namespace, dialect);
  if (decoded.value.repaired) {
    reading.warn("METADATA_ENCODING_REPAIRED", `octets that are no ${decoded.value.encoding} were replaced`);
  }
  if (dialect === "unknown-version") {
    reading.warn("METADATA_UNKNOWN_VERSION", `the namespace ${root.namespace} is not version 1`);
  } else if (dialect === "other") {
    reading.warn("METADATA_UNKNOWN_NAMESPACE", `<recording> is in the namespace "${root.namespace}"`);
  }
  const metadata = readObjects(root, reading);
  return ok({ kind: "metadata", metadata, dialect, namespace: root.namespace, warnings: reading.warnings });
}

function snapshotRequestOf(root: XmlElement): SnapshotRequest {
  const reason = root.children.find((child) => typeof child !== "string" && keyOf(child) === "requestreason");
  if (reason === undefined || typeof reason === "string") return {};
  const lang = reason.attributes.find(({ name }) => name === "xml:lang")?.value;
  return { reason: childText(reason), ...(lang === undefined ? {} : { lang }) };
}
