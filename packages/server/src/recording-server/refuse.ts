import { quote } from "@callfork/protocol/text";
import type { DialogAnswer, HeaderLine, IncomingInvite } from "../signalling/index.ts";
import type { Refusal } from "./errors.ts";

/** RFC 3261 §20.43: 399 is for "arbitrary information to be presented to a human user". */
export function answerOf({ status, message, retryAfterSeconds, headers = [] }: Refusal): DialogAnswer {
  const lines: HeaderLine[] = [["Warning", `399 callfork ${quote(message.slice(0, 200))}`], ...headers];
  if (retryAfterSeconds !== undefined) lines.push(["Retry-After", String(retryAfterSeconds)]);
  return { status, headers: lines };
}

/** A stranger learns no more than anybody's 403 says: by the reason it would know which user the recorder is. */
export function rejectInvite(invite: Pick<IncomingInvite, "reject">, refusal: Refusal): void {
  const { status, headers } =
    refusal.reason === "address" ? { status: refusal.status, headers: [] } : answerOf(refusal);
  invite.reject(status, { headers: headers ?? [] });
}
