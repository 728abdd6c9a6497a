/** Media type of metadata and of snapshot requests (RFC 9806 §2). */
export const METADATA_MEDIA_TYPE = "application/rs-metadata+xml";

/** What RFC 7866 said before RFC 9806; still sent by many, so accepted. */
export const LEGACY_METADATA_MEDIA_TYPE = "application/rs-metadata";

/** For the Accept header field: the right type first, the old one for old peers. */
export const ACCEPTED_METADATA_MEDIA_TYPES = [METADATA_MEDIA_TYPE, LEGACY_METADATA_MEDIA_TYPE] as const;

/** Content-Disposition of metadata and of snapshot requests (RFC 7866 §9, §11.3). */
export const RECORDING_SESSION_DISPOSITION = "recording-session";

/** True for either label, in any case, whatever its parameters. */
export function isMetadataMediaType(contentType: string): boolean {
  const type = contentType.split(";", 1)[0]!.trim().toLowerCase();
  return type === METADATA_MEDIA_TYPE || type === LEGACY_METADATA_MEDIA_TYPE;
}

/** The charset parameter of a Content-Type, which wins over the XML declaration (RFC 7303 §3). */
export function metadataCharset(contentType: string): string | undefined {
  for (const parameter of contentType.split(";").slice(1)) {
    const match = /^\s*charset\s*=\s*(?:"([^"]*)"|([^\s"]+))\s*$/i.exec(parameter);
    if (match !== null) return match[1] ?? match[2];
  }
  return undefined;
}
