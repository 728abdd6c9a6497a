import type { Hangup } from "@callfork/protocol/twiml";
import { END, type Executor } from "./context.ts";

/** Ends the call. One that was not answered yet is refused, where Twilio would answer it first. */
export const hangup: Executor<Hangup> = async (_verb, { call }) => {
  await call.hangup();
  return END;
};
