import type { InviteOptions } from "../signalling/index.ts";

/** As whom TLS connections to a trunk or recorder are made, and whom they trust. PEM; null: as the node is configured. */
export interface PeerCertificate {
  /** Our certificate, and those between it and the authority that the peer knows. There is one only with its key. */
  readonly certificate: string | null;
  /** Decrypted; never leaves the process. */
  readonly privateKey: string | null;
  /** Authorities that may vouch for the peer, instead of those the node trusts. */
  readonly certificateAuthority: string | null;
}

/** Of a trunk or connector for which nobody has set anything. */
export const NO_PEER_CERTIFICATE: PeerCertificate = {
  certificate: null,
  privateKey: null,
  certificateAuthority: null,
};

/** The part of an INVITE's options that says so; empty when the node's own will do. */
export function tlsOf(peer: PeerCertificate): Pick<InviteOptions, "tls"> {
  const { certificate, privateKey: key, certificateAuthority: ca } = peer;
  const own = certificate !== null && key !== null ? { certificate, key } : undefined;
  if (own === undefined && ca === null) return {};
  return { tls: { ...own, ...(ca !== null && { ca }) } };
}
