import type { Actor } from "../../recording-server/index.ts";
import type { Principal } from "../ports.ts";

/** Who asks, as the audit trail names them. */
export function actorOf({ accountSid, keySid }: Principal, address: string): Actor {
  return { actor: keySid ?? accountSid, address };
}
