import {
  type Attribute,
  attributes,
  CRYPTO_SUITES,
  type CryptoAttribute,
  type CryptoKey,
  type CryptoSuite,
  connectionOf,
  cryptoOf,
  formatCrypto,
  type MediaDescription,
  type Random,
  type SessionDescription,
} from "../sdp/index.ts";

/**
 * What a side does about SRTP with keys in its descriptions (RFC 4568).
 *
 * | Policy | Our offers | Offers we take |
 * |---|---|---|
 * | `never` | RTP/AVP | RTP/AVP; keys in it are ignored |
 * | `offered` | RTP/AVP | RTP/AVP in the clear, RTP/SAVP with SRTP |
 * | `opportunistic` | RTP/AVP with keys | the same, and RTP/AVP with keys with SRTP |
 * | `required` | RTP/SAVP | RTP/SAVP |
 *
 * A line that was secured stays so in our later offers, whatever the policy. Each profile stands for its twin with
 * feedback (AVPF, SAVPF) too.
 */
export type SrtpPolicy = "never" | "offered" | "opportunistic" | "required";

export interface MediaSecurity {
  readonly policy: SrtpPolicy;
  /** Those we offer, in order of preference, and those we take. */
  readonly suites: readonly CryptoSuite[];
  /** For new keys. */
  readonly random: Random;
  /** New keys although neither address nor port has changed. */
  readonly rekey?: boolean;
}

/** One direction of a secured line. */
export interface SrtpDirection {
  readonly suite: CryptoSuite;
  /** The first is the one to send with. */
  readonly keys: readonly CryptoKey[];
}

/** The keys of a secured line, as the local side uses them. Never log it. */
export interface NegotiatedSrtp {
  readonly send: SrtpDirection;
  readonly receive: SrtpDirection;
}

/** Every suite we carry, as offers name them: first what every peer knows, then what is stronger. */
export const DEFAULT_CRYPTO_SUITES: readonly CryptoSuite[] = [
  "AES_CM_128_HMAC_SHA1_80",
  "AES_CM_128_HMAC_SHA1_32",
  "AEAD_AES_128_GCM",
  "AEAD_AES_256_GCM",
  "AES_256_CM_HMAC_SHA1_80",
  "AES_256_CM_HMAC_SHA1_32",
];

/**
 * Suites for a copy of something that `suite` protects: "at least as strong" (RFC 7866 §12.2), by length of key and tag.
 */
export function suitesAtLeast(
  suite: CryptoSuite | undefined,
  suites: readonly CryptoSuite[] = DEFAULT_CRYPTO_SUITES,
): readonly CryptoSuite[] {
  if (suite === undefined) return suites;
  const { keyLength } = CRYPTO_SUITES[suite];
  const isShort = suite.endsWith("_32");
  return suites.filter(
    (one) => CRYPTO_SUITES[one].keyLength >= keyLength && (isShort || !one.endsWith("_32")),
  );
}

const PLAIN: readonly string[] = ["RTP/AVP", "RTP/AVPF"];
const SECURED: readonly string[] = ["RTP/SAVP", "RTP/SAVPF"];

/** Whether a transport is SRTP with keys from the description: not DTLS-SRTP. */
export function isSecureProtocol(protocol: string): boolean {
  return SECURED.includes(protocol);
}

/** The transports a side takes in offers, by its policy. */
export function protocolsFor(security: MediaSecurity | undefined): readonly string[] {
  switch (security?.policy ?? "never") {
    case "never":
      return PLAIN;
    case "required":
      return SECURED;
    default:
      return [...PLAIN, ...SECURED];
  }
}

/** @internal Our line as offered: its transport by policy, and its keys. */
export function securedOffer(
  line: MediaDescription,
  place: Place,
  security: MediaSecurity | undefined,
): MediaDescription {
  const before = place.previous?.media[place.index];
  const wasSecured = before !== undefined && isSecureProtocol(before.protocol);
  const wasKeyed = before !== undefined && cryptoOf(before).length > 0;
  const isSecured = security !== undefined && (security.policy === "required" || wasSecured);
  const protocol = isSecured ? secured(line.protocol) : plain(line.protocol);
  if (security === undefined || !(isSecured || wasKeyed || security.policy === "opportunistic")) {
    return { ...line, protocol };
  }
  const kept = security.rekey === true ? undefined : keptLines(line, place);
  const lines =
    kept ??
    security.suites.map((suite, at) => ({
      tag: at + 1,
      suite,
      keys: [newKey(suite, security.random)],
      sessionParameters: [],
    }));
  return withCrypto({ ...line, protocol }, lines);
}

/** @internal Our line as answered: the keys it owes to what the offer has; the line as it is when that has none. */
export function securedAnswer(
  line: MediaDescription,
  offered: MediaDescription,
  place: Place,
  security: MediaSecurity | undefined,
): MediaDescription {
  const chosen = chooseCrypto(offered, security);
  if (chosen === undefined || security === undefined) return line;
  const kept = security.rekey === true ? undefined : keptLines(line, place);
  // A key of ours that the offer names too has been guessed or repeated: "the answer … MUST differ" (RFC 4568 §7.1.2).
  const known = kept?.find(({ suite, keys }) => suite === chosen.suite && !sharesKey(keys, chosen.keys));
  const keys = known?.keys ?? [newKey(chosen.suite, security.random)];
  return withCrypto(line, [{ tag: chosen.tag, suite: chosen.suite, keys, sessionParameters: [] }]);
}

/** @internal Where a line of ours stands: its keys are kept while address and port are (RFC 4568 §7.1.4). */
export interface Place {
  readonly index: number;
  readonly address: string;
  readonly previous?: SessionDescription | undefined;
}

/**
 * @internal The first offered line that we can take: its suite is one of ours, and it asks for nothing that weakens the
 * stream. `undefined` also when the policy has it ignored.
 */
export function chooseCrypto(
  offered: MediaDescription,
  security: MediaSecurity | undefined,
): CryptoAttribute | undefined {
  if (security === undefined || security.policy === "never") return undefined;
  // "crypto attributes … MUST NOT be used with any other transport" than SRTP's (RFC 4568 §6): others by policy alone.
  if (!isSecureProtocol(offered.protocol) && security.policy !== "opportunistic") return undefined;
  return cryptoOf(offered).find((line) => security.suites.includes(line.suite) && isPlainly(line));
}

/** @internal Whether a line of an offer can be taken as far as security goes. */
export function isSecurable(offered: MediaDescription, security: MediaSecurity | undefined): boolean {
  return !isSecureProtocol(offered.protocol) || chooseCrypto(offered, security) !== undefined;
}

/**
 * @internal What both lines come to: keys, `undefined` for a line in the clear, or `"mismatch"`, which is no agreement:
 * one side secured and the other not, or an answer whose tag or suite was not offered (RFC 4568 §5.1.3).
 */
export function negotiateSrtp(
  ours: MediaDescription,
  theirs: MediaDescription,
  answerer: "local" | "remote",
): NegotiatedSrtp | undefined | "mismatch" {
  const isSecured = isSecureProtocol(ours.protocol);
  if (isSecured !== isSecureProtocol(theirs.protocol)) return "mismatch";
  const [offered, answered] = answerer === "local" ? [theirs, ours] : [ours, theirs];
  const none = isSecured ? "mismatch" : undefined;
  const [answer] = cryptoOf(answered);
  // "The answerer MUST … include exactly one crypto attribute" (RFC 4568 §5.1.2).
  if (answer === undefined || attributes(answered, "crypto").length !== 1) return none;
  const offer = cryptoOf(offered).find(({ tag }) => tag === answer.tag);
  if (offer?.suite !== answer.suite || !isPlainly(answer) || sharesKey(offer.keys, answer.keys)) return none;
  const [send, receive] = answerer === "local" ? [answer, offer] : [offer, answer];
  return {
    send: { suite: send.suite, keys: send.keys },
    receive: { suite: receive.suite, keys: receive.keys },
  };
}

/** A window size is a hint; all else would change how packets look. */
function isPlainly({ sessionParameters }: CryptoAttribute): boolean {
  return sessionParameters.every((text) => text.startsWith("WSH="));
}

function keptLines(line: MediaDescription, place: Place): readonly CryptoAttribute[] | undefined {
  const { previous, index, address } = place;
  const before = previous?.media[index];
  if (previous === undefined || before === undefined || before.port !== line.port) return undefined;
  if (connectionOf(previous, before)?.address !== address) return undefined;
  const lines = cryptoOf(before);
  return lines.length > 0 ? lines : undefined;
}

function newKey(suite: CryptoSuite, random: Random): CryptoKey {
  const { keyLength, saltLength } = CRYPTO_SUITES[suite];
  return { key: random.bytes(keyLength), salt: random.bytes(saltLength) };
}

function sharesKey(some: readonly CryptoKey[], others: readonly CryptoKey[]): boolean {
  return some.some(({ key }) =>
    others.some(
      (other) => key.length === other.key.length && key.every((octet, i) => octet === other.key[i]),
    ),
  );
}

function withCrypto(line: MediaDescription, lines: readonly CryptoAttribute[]): MediaDescription {
  const added: readonly Attribute[] = lines.map((one) => ({ name: "crypto", value: formatCrypto(one) }));
  return { ...line, attributes: [...line.attributes, ...added] };
}

const secured = (protocol: string): string =>
  PLAIN.includes(protocol) ? protocol.replace("/AVP", "/SAVP") : protocol;
const plain = (protocol: string): string =>
  SECURED.includes(protocol) ? protocol.replace("/SAVP", "/AVP") : protocol;
