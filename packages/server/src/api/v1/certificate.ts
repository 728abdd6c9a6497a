import { createPrivateKey, X509Certificate } from "node:crypto";
import { err, ok, type Result } from "@callfork/protocol/text";
import Type from "typebox";
import { iso8601 } from "../http/dates.ts";
import { ParameterError } from "../http/errors.ts";
import { checkedText, clearable, type Fields, type Values } from "../http/fields.ts";

/** Certificates of a chain or a list of authorities; more are nobody's intention. */
const MAXIMUM_CERTIFICATES = 32;

/** A certificate as REST shows it. */
const CERTIFICATE_SCHEMA = Type.Object({
  subject: Type.String({ description: "Distinguished name, parts joined by commas" }),
  issuer: Type.String(),
  subject_alternative_names: Type.Array(Type.String(), { description: "As in DNS:example.com" }),
  valid_from: Type.String(),
  valid_to: Type.String(),
  fingerprint_sha256: Type.String(),
});

export const CERTIFICATE_PROPERTIES = {
  certificate: Type.Union([CERTIFICATE_SCHEMA, Type.Null()], {
    description: "What is shown to the peer; null: the certificate of the node",
  }),
  has_private_key: Type.Boolean(),
  certificate_authority: Type.Array(CERTIFICATE_SCHEMA, {
    description: "Who may vouch for the peer; empty: whom the node trusts",
  }),
};

/** Own certificate and trust of a connector or trunk. @param code - the published code of a wrong value */
export function certificateFields<Code extends number>(code: Code) {
  return {
    Certificate: clearable(
      checkedText(
        {
          code,
          max: 32_768,
          multiline: true,
          description: "For TLS: certificate in PEM, chain behind it; with PrivateKey. Empty clears both",
        },
        chain,
      ),
    ),
    PrivateKey: clearable(
      checkedText(
        { code, max: 16_384, multiline: true, description: "Key of Certificate, PEM; never shown" },
        privateKey,
      ),
    ),
    CertificateAuthority: clearable(
      checkedText(
        {
          code,
          max: 131_072,
          multiline: true,
          description: "For TLS: authorities (PEM) that may vouch for the peer, instead of the node's",
        },
        chain,
      ),
    ),
  } as const satisfies Fields;
}

/** What these fields change. @throws ParameterError when certificate and key are not each other's, or out of date */
export function certificateChange(
  body: Values<ReturnType<typeof certificateFields>>,
  code: number,
): {
  readonly certificate: string | null | undefined;
  readonly privateKey: string | null | undefined;
  readonly certificateAuthority: string | null | undefined;
} {
  const { Certificate: certificate, PrivateKey: key, CertificateAuthority: certificateAuthority } = body;
  const refuse = (why: string): never => {
    throw new ParameterError(code, why);
  };
  if (certificateAuthority) refuseOutdated("CertificateAuthority", certificateAuthority, refuse);
  if (!certificate && !key) {
    // Neither is of any use without the other.
    const isCleared = certificate === null || key === null;
    return isCleared
      ? { certificate: null, privateKey: null, certificateAuthority }
      : { certificate: undefined, privateKey: undefined, certificateAuthority };
  }
  if (!certificate || !key) return refuse("Certificate and PrivateKey go together: give both, or clear both");
  refuseOutdated("Certificate", certificate, refuse);
  if (!new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key)))
    refuse("PrivateKey is not the key of the first certificate in Certificate");
  return { certificate, privateKey: key, certificateAuthority };
}

/** @param pem - what `certificateFields` let through */
export function showCertificates(pem: string | null): object[] {
  return certificatesIn(pem ?? "").map((one) => ({
    subject: one.subject.replaceAll("\n", ", "),
    issuer: one.issuer.replaceAll("\n", ", "),
    subject_alternative_names: one.subjectAltName?.split(", ") ?? [],
    valid_from: iso8601(one.validFromDate.getTime()),
    valid_to: iso8601(one.validToDate.getTime()),
    fingerprint_sha256: one.fingerprint256,
  }));
}

/** The same for the shape that connectors and trunks share. */
export function showIdentity(view: {
  readonly certificate: string | null;
  readonly hasPrivateKey: boolean;
  readonly certificateAuthority: string | null;
}): object {
  return {
    certificate: showCertificates(view.certificate)[0] ?? null,
    has_private_key: view.hasPrivateKey,
    certificate_authority: showCertificates(view.certificateAuthority),
  };
}

/** Certificates alone, written anew: nothing that stood between them is kept, least of all a key. */
function chain(text: string): Result<string, string> {
  const other = [...text.matchAll(/-----BEGIN ([^-]*)-----/g)].find(([, what]) => what !== "CERTIFICATE");
  if (other !== undefined) return err(`must hold certificates alone, and holds a ${other[1]?.toLowerCase()}`);
  let found: readonly X509Certificate[];
  try {
    found = certificatesIn(text);
  } catch {
    return err("holds a certificate that cannot be read");
  }
  if (found.length === 0) return err('must be in PEM ("-----BEGIN CERTIFICATE-----")');
  if (found.length > MAXIMUM_CERTIFICATES)
    return err(`must hold ${MAXIMUM_CERTIFICATES} certificates at most`);
  return ok(found.map(String).join(""));
}

function certificatesIn(text: string): X509Certificate[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  return blocks.slice(0, MAXIMUM_CERTIFICATES + 1).map((block) => new X509Certificate(block));
}

/** The reason stays here: it could quote the key. */
function privateKey(text: string): Result<string, string> {
  try {
    return ok(createPrivateKey(text).export({ type: "pkcs8", format: "pem" }).toString());
  } catch {
    return err("must be a private key in PEM, not encrypted");
  }
}

function refuseOutdated(name: string, pem: string, refuse: (why: string) => never): void {
  const now = Date.now();
  for (const { subject, validFromDate, validToDate } of certificatesIn(pem)) {
    const who = subject.replaceAll("\n", ", ");
    if (validToDate.getTime() < now)
      refuse(`${name}: ${who} has expired on ${iso8601(validToDate.getTime())}`);
    if (validFromDate.getTime() > now)
      refuse(`${name}: ${who} is not valid before ${iso8601(validFromDate.getTime())}`);
  }
}
