import type { Reject } from "@callfork/protocol/twiml";
import { END, type Executor } from "./context.ts";

/** Refuses a call that was not answered: 486 for `busy`, 603 for `rejected`. An answered one is hung up. */
export const reject: Executor<Reject> = async ({ reason }, { call }) => {
  await call.reject(reason);
  return END;
};
