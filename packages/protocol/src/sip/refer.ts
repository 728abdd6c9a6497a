import { err, ok, type Result, type TextError, trimBlanks } from "../text/index.ts";
import { type NameAddr, parseNameAddr } from "./name-addr.ts";
import { parseParams } from "./params.ts";
import { parseUri } from "./uri.ts";

/** The dialog that a new one takes the place of (RFC 3891 §6.1), seen from whoever receives it. */
export interface Replaces {
  readonly callId: string;
  /** The tag of the receiver's own side. */
  readonly toTag: string;
  readonly fromTag: string;
  readonly earlyOnly: boolean;
}

/** Where a REFER sends its receiver (RFC 3515 §2.1). */
export interface ReferTo {
  readonly address: NameAddr;
  /** The URI without its headers. */
  readonly uri: string;
  /** From the URI's headers: an attended transfer. */
  readonly replaces?: Replaces;
  /** The `Replaces` header as it is to be sent on. */
  readonly replacesText?: string;
}

/** Reads Refer-To. Of the URI's headers only Replaces counts: the others are the sender's to ask for, not to command. */
export function parseReferTo(text: string): Result<ReferTo, TextError> {
  const address = parseNameAddr(text);
  if (!address.ok) return address;
  const uri = parseUri(address.value.uri);
  if (!uri.ok) return uri;
  const bare = address.value.uri.replace(/\?.*$/s, "");
  if (uri.value.scheme !== "sip" && uri.value.scheme !== "sips")
    return ok({ address: address.value, uri: bare });
  const method = uri.value.params.get("method");
  if (method != null && method.toUpperCase() !== "INVITE")
    return err({ message: "Refer-To asks for another method than INVITE", offset: 0 });
  const header = uri.value.headers.find(([name]) => name.toLowerCase() === "replaces")?.[1];
  if (header === undefined) return ok({ address: address.value, uri: bare });
  const replaces = parseReplaces(header);
  if (!replaces.ok) return replaces;
  return ok({ address: address.value, uri: bare, replaces: replaces.value, replacesText: header });
}

/** `Replaces: call-id;to-tag=…;from-tag=…[;early-only]`; both tags must be there once. */
export function parseReplaces(text: string): Result<Replaces, TextError> {
  const semicolon = text.indexOf(";");
  if (semicolon < 0) return err({ message: "Replaces without tags", offset: 0 });
  const callId = trimBlanks(text.slice(0, semicolon));
  const params = parseParams(text, semicolon);
  if (!params.ok) return params;
  const toTag = params.value.get("to-tag");
  const fromTag = params.value.get("from-tag");
  if (callId === "" || !toTag || !fromTag)
    return err({ message: "Replaces without Call-ID or tag", offset: 0 });
  return ok({ callId, toTag, fromTag, earlyOnly: params.value.has("early-only") });
}

export function formatReplaces({ callId, toTag, fromTag, earlyOnly }: Replaces): string {
  return `${callId};to-tag=${toTag};from-tag=${fromTag}${earlyOnly ? ";early-only" : ""}`;
}
