import { validateParameters } from "@callfork/protocol/siprec";
import type { SiprecStart, SiprecTrack } from "../calls/index.ts";
import type { ClientContext } from "./context.ts";
import {
  InvalidParametersError,
  InvalidTrackError,
  NameTakenError,
  StreamLimitError,
  UnknownConnectorError,
} from "./errors.ts";
import type { Fork } from "./fork.ts";
import { type ConnectorPlan, planOf } from "./recorders.ts";
import { isTrack, labelsOf } from "./tracks.ts";

const MAXIMUM_NAME_LENGTH = 255;

/** @throws InvalidTrackError */
export function checkTrack(start: SiprecStart, defaultTrack: SiprecTrack): SiprecTrack {
  const track: string = start.track ?? defaultTrack;
  if (isTrack(track)) return track;
  throw new InvalidTrackError("track is none of inbound_track, outbound_track, both_tracks");
}

/**
 * @param edge - of whoever starts the fork: goes before those of the connector
 * @throws UnknownConnectorError, UnusableConnectorError, UnknownEdgeError, and what the directory rejects with
 */
export async function findPlan(
  context: ClientContext,
  accountSid: string,
  connectorName: string | null,
  edge: string | null = null,
): Promise<ConnectorPlan> {
  if (connectorName === null || connectorName === "") {
    throw new UnknownConnectorError("connectorName is missing");
  }
  const connector = await context.connectors.find(accountSid, connectorName);
  if (connector === undefined) throw new UnknownConnectorError(`no connector is named ${connectorName}`);
  return planOf(connector, { edges: context.edges ?? [], edge });
}

/** What depends on the call's other forks, then the parameters. @throws PlatformError, the first that applies */
export function checkAgainst(
  forks: Iterable<Fork>,
  start: SiprecStart,
  track: SiprecTrack,
  streamsPerCall: number,
): void {
  const live = [...forks].filter((fork) => fork.isLive);
  if (isNameTaken(live, start.name)) {
    throw new NameTakenError(`a live fork of this call is named ${start.name} already`);
  }
  const streams = live.reduce((sum, fork) => sum + fork.streams, 0);
  if (streams + labelsOf(track).length > streamsPerCall) {
    throw new StreamLimitError(
      `the call has ${streams} forked streams; at most ${streamsPerCall} are possible at once, both_tracks takes two`,
    );
  }
  const parameters = validateParameters(start.parameters);
  if (!parameters.ok) throw new InvalidParametersError(parameters.error.message);
  if ((start.name ?? "").length > MAXIMUM_NAME_LENGTH || /[\u0000-\u001f\u007f]/.test(start.name ?? "")) {
    const limit = `at most ${MAXIMUM_NAME_LENGTH} characters, none of them a control character`;
    throw new InvalidParametersError(`the name may have ${limit}`);
  }
}

export const isNameTaken = (forks: Iterable<Fork>, name: string | null): boolean =>
  name !== null && [...forks].some((fork) => fork.isLive && fork.record.name === name);
