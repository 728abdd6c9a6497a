import { PlatformError } from "../observe/index.ts";
import type { ClientContext } from "./context.ts";
import type { ConnectorPlan } from "./recorders.ts";
import { findPlan } from "./start-checks.ts";

/**
 * The connectors that record beside one, in its order. Their own companions are not followed. One that cannot be
 * called is an alert: it must not keep the others from recording.
 */
export async function plansBeside(
  context: ClientContext,
  { accountSid, connectorName, settings }: ConnectorPlan,
  callSid: string,
): Promise<readonly ConnectorPlan[]> {
  const names = [...new Set(settings.parallel)].filter((name) => name !== connectorName);
  const plans = await Promise.all(
    names.map(async (name) => {
      try {
        return await findPlan(context, accountSid, name);
      } catch (error) {
        if (!(error instanceof PlatformError)) throw error;
        const errorCode = error.publicCode ?? 20500;
        const text = `${name} was to record beside ${connectorName} and does not: ${error.message}`;
        context.log.warn({ connectorName: name, callSid, err: error }, "siprec: a connector beside another");
        context.alerts.raise({ accountSid, errorCode, level: "error", text, callSid });
        return undefined;
      }
    }),
  );
  return plans.filter((plan) => plan !== undefined);
}
