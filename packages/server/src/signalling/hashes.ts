import { createHash } from "node:crypto";
import type { DigestHashes } from "@callfork/protocol/sip";

/** The hash functions of `node:crypto`, for digest authentication. */
export const NODE_HASHES: DigestHashes = {
  md5: (bytes) => createHash("md5").update(bytes).digest(),
  sha256: (bytes) => createHash("sha256").update(bytes).digest(),
};
