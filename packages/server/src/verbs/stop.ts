import type { Stop } from "@callfork/protocol/twiml";
import { PlatformError } from "../observe/index.ts";
import { type Executor, NEXT } from "./context.ts";

/** Ends forks by name, whoever began them; `status="paused"`, ours, pauses them. A name that nothing bears is a warning. */
export const stop: Executor<Stop> = async ({ nouns }, { call, forks, alert }) => {
  for (const { name, fault, status } of nouns) {
    if (fault || name === undefined) continue;
    try {
      if (status === "paused") await forks().pause(call.sid, name);
      else await forks().stop(call.sid, name);
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      alert(error.publicCode, "warning", `<Stop><Siprec>: ${error.message}`);
    }
  }
  return NEXT;
};
