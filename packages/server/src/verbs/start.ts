import type { Start } from "@callfork/protocol/twiml";
import { PlatformError } from "../observe/index.ts";
import { type Executor, NEXT } from "./context.ts";

/**
 * Begins forks and goes on at once: a fork is durable when this returns, its recorder is called meanwhile. A fork that
 * cannot begin is told as an alert, and the call goes on.
 */
export const start: Executor<Start> = async ({ nouns }, { call, forks, resolve, alert }) => {
  for (const siprec of nouns) {
    if (siprec.fault) continue;
    const callback = siprec.statusCallback === undefined ? undefined : resolve(siprec.statusCallback);
    if (siprec.statusCallback !== undefined && callback === undefined) {
      alert(11100, "warning", `<Siprec>: statusCallback "${siprec.statusCallback}" is no URL`);
    }
    try {
      await forks().start(call.sid, {
        name: siprec.name ?? null,
        connectorName: siprec.connectorName === "" ? null : siprec.connectorName,
        track: siprec.track,
        statusCallback: callback ?? null,
        statusCallbackMethod: siprec.statusCallbackMethod,
        parameters: siprec.parameters.map(({ name, value }) => ({ name, value })),
        origin: "twiml",
      });
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      alert(error.publicCode, "error", `<Siprec>: ${error.message}`);
    }
  }
  return NEXT;
};
