import type { UnknownVerb } from "@callfork/protocol/twiml";
import { type Executor, NEXT } from "./context.ts";

/** An issue of the document has told of it already. */
export const unknown: Executor<UnknownVerb> = async () => NEXT;
