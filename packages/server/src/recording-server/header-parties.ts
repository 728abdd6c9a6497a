import { parseNameAddr, parseSipUri, type SipRequest, type SipUri } from "@callfork/protocol/sip";
import { normalizeAor } from "@callfork/protocol/siprec";

/** Header fields that are looked at, so that a flood of them costs nothing. */
const MAX_PARTIES = 8;

/** A party of the call as header fields name it: what there is when there is no metadata. */
export interface HeaderParty {
  readonly aor: string;
  readonly name: string | null;
  /** The m-line that the party speaks on, by position; null when that is not told. */
  readonly line: number | null;
}

/** Who is in the call, by the INVITE's header fields alone, and which of them said so. */
export interface HeaderParties {
  readonly parties: readonly HeaderParty[];
  /** For a warning: all of this is a guess. */
  readonly source: string;
}

/**
 * - Cisco's network-based recording names each party and its m-line in a header field of its own.
 * - Cisco's built-in bridge calls twice: once with the voice of the phone that is recorded (`x-nearend`), once with that
 *   of the far end (`x-farend`). Both have the phone in From and the far end as a parameter of its URI.
 * - All others: who calls (P-Asserted-Identity, else From), and who is called (To, unless that is the recorder).
 */
export function headerParties({ headers, uri }: SipRequest): HeaderParties {
  const named = headers.list("X-Cisco-Recording-Participant").slice(0, MAX_PARTIES);
  if (named.length > 0) {
    return { parties: named.flatMap(ciscoParticipant), source: "X-Cisco-Recording-Participant" };
  }
  const from = partyIn(headers.get("From"));
  const bridge = from === undefined ? undefined : builtInBridge(from);
  if (bridge !== undefined) return { parties: bridge, source: "From (x-nearend, x-farend)" };
  const [asserted] = headers
    .list("P-Asserted-Identity")
    .slice(0, MAX_PARTIES)
    .flatMap((value) => partyIn(value) ?? []);
  const to = partyIn(headers.get("To"));
  const isRecorder = to === undefined || to.aor === normalizeAor(withoutParameters(uri));
  const parties = [asserted ?? from, isRecorder ? undefined : to].flatMap((party) => party ?? []);
  const caller = asserted === undefined ? "From" : "P-Asserted-Identity";
  return {
    parties: parties.map(({ aor, name }) => ({ aor, name, line: null })),
    source: isRecorder ? caller : `${caller} and To`,
  };
}

interface Party {
  readonly aor: string;
  readonly name: string | null;
  readonly uri: SipUri | undefined;
  readonly parameter: (name: string) => string | null | undefined;
}

function partyIn(value: string | undefined): Party | undefined {
  const parsed = value === undefined ? undefined : parseNameAddr(value);
  if (!parsed?.ok) return undefined;
  const { uri, params, displayName } = parsed.value;
  const sip = parseSipUri(uri);
  return {
    aor: normalizeAor(withoutParameters(uri)),
    name: displayName?.trim() || null,
    uri: sip.ok ? sip.value : undefined,
    // Written behind the address, or as a parameter of its URI.
    parameter: (name) => params.get(name) ?? (sip.ok ? sip.value.params.get(name) : undefined),
  };
}

function ciscoParticipant(value: string): readonly HeaderParty[] {
  const party = partyIn(value);
  if (party === undefined) return [];
  const index = /^"?(\d{1,3})"?$/.exec(party.parameter("media-index") ?? "")?.[1];
  return [{ aor: party.aor, name: party.name, line: index === undefined ? null : Number(index) }];
}

function builtInBridge({ aor, name, uri, parameter }: Party): readonly HeaderParty[] | undefined {
  const isNear = uri?.params.has("x-nearend") === true || parameter("x-nearend") !== undefined;
  const isFar = uri?.params.has("x-farend") === true || parameter("x-farend") !== undefined;
  if (isNear === isFar) return undefined;
  const near = { aor, name, line: isNear ? 0 : null };
  const farAddress = parameter("x-farendaddr");
  if (!farAddress) return [near];
  const host = uri === undefined || farAddress.includes("@") ? "" : `@${uri.host}`;
  return [near, { aor: normalizeAor(`sip:${farAddress}${host}`), name: null, line: isFar ? 0 : null }];
}

/** A call's parties are users, not the parameters of one request. */
function withoutParameters(uri: string): string {
  const parsed = parseSipUri(uri);
  if (!parsed.ok) return uri;
  const { scheme, user, host } = parsed.value;
  return user === undefined ? `${scheme}:${host}` : `${scheme}:${user}@${host}`;
}
