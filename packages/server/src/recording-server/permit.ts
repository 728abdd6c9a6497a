import { createAddressFilter, type SipFlow } from "../net/index.ts";

export interface RecordingPermitOptions {
  /** Addresses or CIDR ranges that may record to us. */
  readonly allowedAddresses: readonly string[];
  /** SIP domains, lower-case: who shows a verified certificate that stands for one of them may record from anywhere. */
  readonly allowedCertificateNames?: readonly string[] | undefined;
}

/** Whether a peer may record to us, by where it is or who its certificate says it is (RFC 7866 §12). */
export type RecordingPermit = (peer: Pick<SipFlow, "remoteAddress" | "tls">) => boolean;

export function createRecordingPermit(options: RecordingPermitOptions): RecordingPermit {
  const isThere = createAddressFilter(options.allowedAddresses);
  const names = new Set(options.allowedCertificateNames ?? []);
  return ({ remoteAddress, tls }) =>
    isThere(remoteAddress) || (tls?.identities.some((name) => names.has(name.toLowerCase())) ?? false);
}
