import {
  parseNameAddr,
  parseReferTo,
  parseSipUri,
  type Replaces,
  type SipRequest,
} from "@callfork/protocol/sip";
import { err, ok, type Result } from "@callfork/protocol/text";
import type { HeaderLine } from "../signalling/index.ts";
import type { Call } from "./call.ts";
import type { House } from "./house.ts";
import { isUri, numberOf } from "./party.ts";
import type { DialTarget } from "./ports.ts";

/** What a REFER asks for, once it may. */
export interface TransferRequest {
  readonly target: DialTarget;
  /** For the INVITE to the target: who sent us (RFC 3892), and which dialog it is to replace (RFC 3891). */
  readonly headers: readonly HeaderLine[];
  /** A live call of ours that the referrer holds beside this one: its other party is the target. */
  readonly consultation: Call | undefined;
}

/**
 * Reads a REFER and says whether its sender may do that: the status that refuses it, else what to do.
 *
 * Targets are what `<Dial>` would take: numbers, which leave through a trunk of the account, and SIP URIs.
 */
export function readTransfer(house: House, from: Call, refer: SipRequest): Result<TransferRequest, number> {
  const { transfers = "phones" } = house.options;
  const isTrunk = from.record().trunkSid !== null;
  if (transfers === "none" || (isTrunk && transfers !== "all")) return err(603);
  const lines = refer.headers.list("Refer-To");
  if (lines.length !== 1) return err(400); // RFC 3515 §2.4.1
  const to = parseReferTo(lines[0]!);
  if (!to.ok) return err(400);
  const { uri, replaces, replacesText } = to.value;
  if (!isUri(uri)) return err(416);
  const consultation = replaces && findConsultation(house, from, replaces);
  const headers: HeaderLine[] = [["Referred-By", referredBy(from, refer)]];
  if (replacesText !== undefined) headers.push(["Replaces", replacesText], ["Require", "replaces"]);
  const number = isOurs(house, refer, uri) ? numberOf(uri) : undefined;
  const target: DialTarget =
    number === undefined ? { kind: "sip", address: uri } : { kind: "number", address: number };
  return ok({ target, headers, consultation });
}

/** The dialog is named as we, its other end, see it; calls of other accounts are nobody's to name. */
function findConsultation(house: House, from: Call, { callId, toTag, fromTag }: Replaces): Call | undefined {
  return house.calls.find(({ leg, accountSid }) => {
    const { dialog } = leg;
    return (
      accountSid === from.accountSid &&
      leg.answered &&
      dialog?.callId === callId &&
      dialog.localTag === toTag &&
      dialog.remoteTag === fromTag
    );
  });
}

/** A number at our own address is one to be dialled; at any other it is that host's. */
function isOurs(house: House, refer: SipRequest, uri: string): boolean {
  if (/^tel:/i.test(uri)) return true;
  const target = parseSipUri(uri);
  if (!target.ok) return false;
  const to = parseNameAddr(refer.headers.get("To") ?? "");
  const ours = [refer.uri, ...(to.ok ? [to.value.uri] : [])].flatMap((each) => {
    const parsed = parseSipUri(each);
    return parsed.ok ? [parsed.value.host.toLowerCase()] : [];
  });
  return [...ours, house.options.sipHost.toLowerCase()].includes(target.value.host.toLowerCase());
}

/** The referrer's own words when it has some that can be read, else who it is (RFC 3892 §2.1). */
function referredBy(from: Call, refer: SipRequest): string {
  const value = refer.headers.get("Referred-By");
  if (value !== undefined && value.length <= 512 && parseNameAddr(value).ok) return value;
  return `<${from.tap.party().aor}>`;
}
