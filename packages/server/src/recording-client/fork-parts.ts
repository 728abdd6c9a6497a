import type { CallTap, SiprecRecord } from "../calls/index.ts";
import type { Log } from "../observe/index.ts";
import { CallDocument } from "./call-document.ts";
import type { CallIdentity } from "./call-identity.ts";
import { extensionsOf } from "./connector-words.ts";
import type { ClientContext } from "./context.ts";
import { ForkGaps } from "./fork-gaps.ts";
import { ForkMedia } from "./fork-media.ts";
import { ForkPause } from "./fork-pause.ts";
import { ForkRecorders } from "./fork-recorders.ts";
import { ForkReport } from "./fork-report.ts";
import type { IncomingSession } from "./incoming-session.ts";
import { LossWatch } from "./loss-watch.ts";
import { DISCARDED_CODE } from "./recorder-failure.ts";
import type { ConnectorPlan } from "./recorders.ts";
import { labelsOf, type TrackLabel } from "./tracks.ts";
import { UnrecordedWatch } from "./unrecorded-watch.ts";

export interface ForkSetup {
  /** The call has to be recorded by this one, and is not. */
  readonly onUnrecorded: () => void;
  readonly context: ClientContext;
  readonly record: SiprecRecord;
  readonly plan: ConnectorPlan;
  readonly tap: CallTap;
  readonly identity: CallIdentity;
  /** The recorder started it. */
  readonly incoming?: IncomingSession;
}

/** What the parts tell the fork that is made of them, and ask of it. */
export interface ForkHooks {
  readonly isLive: () => boolean;
  /** Between one recorder and the next. */
  readonly isReplacing: () => boolean;
  readonly isCallOver: () => boolean;
  /** ICMP said that nobody listens; `delivered` packets of the track were sent before. */
  readonly unreachable: (label: TrackLabel, delivered: number | undefined) => void;
  readonly pauseChanged: () => void;
  /** It cannot go on, by a fault of this node. */
  readonly broken: (text: string) => void;
  readonly warn: (code: number, text: string) => void;
}

export interface ForkParts {
  readonly log: Log;
  readonly report: ForkReport;
  readonly media: ForkMedia;
  readonly recorders: ForkRecorders;
  readonly gaps: ForkGaps;
  readonly pause: ForkPause;
  readonly losses: LossWatch;
  readonly document: CallDocument;
  readonly unrecorded: UnrecordedWatch;
}

/** Makes what a fork consists of; nothing of it does anything yet. */
export function forkParts(setup: ForkSetup, hooks: ForkHooks): ForkParts {
  const { context, record, plan, tap, identity, incoming } = setup;
  const { clock } = context;
  const call = context.calls.find(record.callSid)?.record();
  const callId = call?.sipCallId ?? null;
  const log = context.log.child({ callSid: record.callSid, callId, siprecSid: record.sid });
  const report = new ForkReport(context, record, log);
  const media = new ForkMedia({
    media: context.media,
    clock,
    log,
    labels: labelsOf(record.track),
    batching: plan.settings.packetBatching,
    onUnreachable: hooks.unreachable,
    onLost: () => hooks.broken("a media worker was lost"),
  });
  const gaps = new ForkGaps(media, clock);
  const pause = new ForkPause({
    media,
    gaps,
    report,
    log,
    isLive: hooks.isLive,
    isReplacing: hooks.isReplacing,
    onChange: hooks.pauseChanged,
    onUncertain: () => hooks.broken("a pause could not be confirmed"),
  });
  const limit = plan.settings.unrecordedLimitSeconds;
  return {
    log,
    report,
    media,
    gaps,
    pause,
    recorders: new ForkRecorders({ context, plan, media, report, log, incoming }),
    losses: new LossWatch({
      media,
      clock,
      thresholdPercent: context.limits.lossAlertPercent,
      onLoss: (label, percent) =>
        hooks.warn(DISCARDED_CODE, `the recorder reports that ${percent} % of the ${label} track is lost`),
    }),
    document: new CallDocument({
      context,
      tap,
      identity,
      record,
      extensions: extensionsOf(plan, record, call, context.extensionNamespace),
      isPaused: () => pause.isOn,
    }),
    unrecorded: new UnrecordedWatch({
      clock,
      limitMs: limit === null ? null : limit * 1000,
      onUnrecorded: () => {
        if (plan.settings.policy === "mandatory" && !hooks.isCallOver()) setup.onUnrecorded();
      },
    }),
  };
}
