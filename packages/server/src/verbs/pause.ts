import type { Pause } from "@callfork/protocol/twiml";
import { type Executor, NEXT } from "./context.ts";

/** Waits. A call that rings goes on ringing: a leading `<Pause>` does not answer it. */
export const pause: Executor<Pause> = async ({ length }, { call }) => {
  await call.pause(length);
  return NEXT;
};
