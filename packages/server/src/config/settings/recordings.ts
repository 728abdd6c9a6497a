import Type from "typebox";
import { choice, same, setting, text } from "../setting.ts";
import { readObjectUrl, readPublicUrl } from "../syntax.ts";

/** How recordings are kept, and what of them. */
export const RECORDINGS_SETTINGS = {
  url: setting({
    schema: text,
    standard: undefined,
    standardText: "files in the data directory",
    meaning: "Object storage (S3) that ended recordings are moved to.",
    example: "s3://bucket/prefix",
    read: readObjectUrl,
  }),
  endpoint: setting({
    schema: text,
    standard: undefined,
    standardText: "Amazon's for `recordings.region`",
    meaning: "Base URL of the object storage; the bucket becomes the first part of its path.",
    example: "https://s3.example.com",
    read: readPublicUrl,
  }),
  region: setting({
    schema: text,
    standard: "us-east-1",
    meaning: "Region that requests to the object storage are signed for.",
    read: same,
  }),
  accessKeyId: setting({
    schema: text,
    standard: undefined,
    standardText: "none",
    meaning: "Access key of the object storage.",
    read: same,
  }),
  secretAccessKey: setting({
    schema: text,
    standard: undefined,
    standardText: "none",
    meaning: "Its secret.",
    read: same,
    secret: true,
  }),
  encryption: setting({
    schema: Type.Boolean(),
    standard: false,
    meaning:
      "Encrypt new recordings at rest, each with a key of its own under the master key. They can then be read through this server only.",
    read: same,
  }),
  retentionDays: setting({
    schema: Type.Integer({ minimum: 0, maximum: 36_500 }),
    standard: 0,
    meaning: "Days after which recordings are deleted that no retention rule is for; 0: never.",
    read: same,
  }),
  auditDays: setting({
    schema: Type.Integer({ minimum: 1, maximum: 36_500 }),
    standard: 3_650,
    meaning: "Days for which the audit trail of deleted recordings is kept.",
    read: same,
  }),
  participants: setting({
    schema: choice("keep", "hash", "drop"),
    standard: "keep",
    meaning:
      "What recordings keep of addresses and names: all, pseudonyms (a keyed hash: equal addresses stay equal), or nothing.",
    read: same,
  }),
  extensionData: setting({
    schema: choice("keep", "drop"),
    standard: "keep",
    meaning: "Whether recordings keep what vendors and parameters put into the metadata.",
    read: same,
  }),
  documents: setting({
    schema: choice("keep", "drop"),
    standard: "keep",
    meaning:
      "Whether recordings keep metadata documents as they came. Dropped too when addresses or extension data are not kept.",
    read: same,
  }),
  vconCertificate: setting({
    schema: text,
    standard: undefined,
    standardText: "vCons cannot be signed",
    meaning: "PEM file with the certificate that signed vCons show (`x5c`), its chain included.",
    read: same,
    isPath: true,
  }),
  vconKey: setting({
    schema: text,
    standard: undefined,
    standardText: "none",
    meaning: "PEM file with its private key: RSA of 2,048 bits at least (RS256), or P-256 (ES256).",
    read: same,
    isPath: true,
  }),
} as const;
