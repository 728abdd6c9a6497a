import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { GeneralSign } from "jose";
import { VconNotSignableError } from "./errors.ts";

export interface VconSigner {
  /**
   * The signed form of a vCon: General JWS JSON Serialization (RFC 7515 §7.2.1) with the certificate chain and the
   * vCon's uuid in the unprotected header (draft-ietf-vcon-vcon-core-04, "Signed Form of vCon Object").
   */
  sign(vcon: { readonly uuid: string }): Promise<object>;
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/**
 * @param pem - certificate with its chain, the signer's first, and its private key
 * @throws `VconNotSignableError` when they do not belong together, or the key is of another kind
 */
export function createVconSigner(pem: { readonly certificate: string; readonly key: string }): VconSigner {
  const { chain, key } = read(pem);
  const alg = algorithmOf(key);
  const x5c = chain.map((one) => one.raw.toString("base64"));
  return {
    sign: async (vcon) => {
      const signing = new GeneralSign(new TextEncoder().encode(JSON.stringify(vcon)));
      signing.addSignature(key).setProtectedHeader({ alg }).setUnprotectedHeader({ x5c, uuid: vcon.uuid });
      return signing.sign();
    },
  };
}

function read(pem: { readonly certificate: string; readonly key: string }) {
  try {
    const chain = (pem.certificate.match(CERTIFICATE) ?? []).map((one) => new X509Certificate(one));
    const key = createPrivateKey(pem.key);
    if (chain[0]?.checkPrivateKey(key) === true) return { chain, key };
  } catch (cause) {
    throw new VconNotSignableError("the certificate or the key for vCons cannot be read", { cause });
  }
  throw new VconNotSignableError("the key for vCons is not that of the first certificate");
}

/** "RS256" is what the draft asks for; ES256 is for those who have no RSA key. */
function algorithmOf(key: KeyObject): "RS256" | "ES256" {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === "rsa" && (details?.modulusLength ?? 0) >= 2_048) return "RS256";
  if (type === "ec" && details?.namedCurve === "prime256v1") return "ES256";
  throw new VconNotSignableError("the key for vCons must be RSA of 2,048 bits at least, or P-256");
}
