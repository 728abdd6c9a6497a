import type { Start } from "@callfork/protocol/twiml";
import type { SiprecTrack } from "../calls/index.ts";
import { PlatformError } from "../observe/index.ts";
import { type Executor, NEXT, type VerbContext } from "./context.ts";

const NO_CONNECTOR = 31940;
const BAD_TRACK = 31941;
/** Of these a refused fork is made, with a row and `siprec-error` (its parameters and callback can be read). */
const TOLD_FAULTS: ReadonlySet<number> = new Set([NO_CONNECTOR, BAD_TRACK]);
/** Refused as any track that is none: the document's own word is in the alert. */
const UNREADABLE_TRACK = "unreadable" as SiprecTrack;

/**
 * Begins forks and goes on at once: a fork is durable when this returns, its recorder is called meanwhile. A fork that
 * cannot begin is told as an alert, and the call goes on.
 */
export const start: Executor<Start> = async ({ nouns }, { call, forks, resolve, alert }) => {
  for (const siprec of nouns) {
    // What is wrong in itself has had its alert; whoever waits for callbacks hears of it as of any refused fork.
    const isRefused = siprec.fault !== undefined;
    if (isRefused && !TOLD_FAULTS.has(siprec.fault.code)) continue;
    if (siprec.status === "in-progress") {
      if (!isRefused) await resume(siprec.name ?? "", { call, forks, alert });
      continue;
    }
    const callback = siprec.statusCallback === undefined ? undefined : resolve(siprec.statusCallback);
    if (siprec.statusCallback !== undefined && callback === undefined) {
      alert(11100, "warning", `<Siprec>: statusCallback "${siprec.statusCallback}" is no URL`);
    }
    try {
      await forks().start(call.sid, {
        name: siprec.name ?? null,
        connectorName: siprec.connectorName === "" ? null : siprec.connectorName,
        track: siprec.fault?.code === BAD_TRACK ? UNREADABLE_TRACK : siprec.track,
        ...(siprec.edge !== undefined && { edge: siprec.edge }),
        statusCallback: callback ?? null,
        statusCallbackMethod: siprec.statusCallbackMethod,
        parameters: siprec.parameters.map(({ name, value }) => ({ name, value })),
        origin: "twiml",
      });
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      if (!isRefused) alert(error.publicCode, "error", `<Siprec>: ${error.message}`);
    }
  }
  return NEXT;
};

/** `status="in-progress"`, ours: the fork of that name goes on where it was paused. */
async function resume(
  name: string,
  { call, forks, alert }: Pick<VerbContext, "call" | "forks" | "alert">,
): Promise<void> {
  try {
    await forks().resume(call.sid, name);
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    alert(error.publicCode, "error", `<Start><Siprec>: ${error.message}`);
  }
}
