import type { Say } from "@callfork/protocol/twiml";
import { type Executor, NEXT } from "./context.ts";

/** Speech synthesis is not built in: the text is skipped, and the account is told. */
export const say: Executor<Say> = async (verb, { alert }) => {
  alert(12200, "warning", `line ${verb.line}: <Say> is not supported by this platform; it was skipped`);
  return NEXT;
};
