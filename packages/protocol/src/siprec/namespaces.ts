/** RFC 7865 §5.1.2. */
export const RECORDING_NAMESPACE = "urn:ietf:params:xml:ns:recording:1";

/**
 * Which document format a sender speaks:
 * - `rfc7865`: the RFC's namespace
 * - `draft-recording`: the working group's drafts, `…:recording` without version
 * - `draft-siprec`: the individual draft of 2010, `recording_metadata` in `…:siprec`
 * - `unknown-version`: another `…:recording:N`
 * - `other`: a root called `recording` in any other namespace or none
 */
export type MetadataDialect = "rfc7865" | "draft-recording" | "draft-siprec" | "unknown-version" | "other";

/** Decides by namespace first: prefixes mean nothing, and the root's name settles the rest. */
export function dialectOf(namespace: string, rootName: string): MetadataDialect | undefined {
  const known = DIALECTS[namespace];
  if (known !== undefined) return known;
  if (rootName === "recording_metadata") return "draft-siprec";
  if (/^urn:ietf:params:xml:ns:recording/.test(namespace)) return "unknown-version";
  return rootName.toLowerCase() === "recording" ? "other" : undefined;
}

/** True for namespaces whose elements are the model's own. */
export const isModelNamespace = (namespace: string): boolean => DIALECTS[namespace] !== undefined;

const DIALECTS: Readonly<Record<string, MetadataDialect | undefined>> = Object.assign(Object.create(null), {
  [RECORDING_NAMESPACE]: "rfc7865",
  "urn:ietf:params:xml:ns:recording": "draft-recording",
  "urn:ietf:params:xml:ns:siprec": "draft-siprec",
});
