import type { SessionDescription } from "@callfork/protocol/sdp";
import { hasToken, type SipResponse, tagOf } from "@callfork/protocol/sip";
import type { Log } from "../observe/index.ts";
import type {
  InviteFailure,
  InviteOptions,
  OutgoingInvite,
  ReceivedPart,
  SipDialog,
  UserAgent,
} from "../signalling/index.ts";
import { bodyOf, descriptionIn } from "./descriptions.ts";
import type { LegEnd } from "./end-status.ts";
import { Leg, type LegObserver } from "./leg.ts";
import type { LegMedia } from "./leg-media.ts";

const MAXIMUM_EARLY_DIALOGS = 16;

/** The leg of a call that we make: we are the UAC. */
export class OutgoingLeg extends Leg {
  readonly #userAgent: Pick<UserAgent, "invite">;
  #invite: OutgoingInvite | undefined;
  #callId: string | undefined;
  #offer: SessionDescription | undefined;
  /** Descriptions of early media by the tag of who sent them; as many as there are early dialogs. */
  readonly #early = new Map<string, SessionDescription>();
  isRecordAware = false;
  /** Tags of our early dialogs: our own, then theirs. */
  #localTag: string | undefined;
  readonly #earlyTags = new Set<string>();

  constructor(userAgent: Pick<UserAgent, "invite">, media: LegMedia, observer: LegObserver, log: Log) {
    super(media, observer, log);
    this.#userAgent = userAgent;
  }

  get callId(): string | undefined {
    return this.#callId;
  }

  /** Whether a callee that rings, or sends early media, is known by these tags. */
  isEarly(localTag: string, remoteTag: string): boolean {
    return !this.answered && !this.ended && localTag === this.#localTag && this.#earlyTags.has(remoteTag);
  }

  /** What the peer's answer answers. */
  get offer(): SessionDescription | undefined {
    return this.#offer;
  }

  /** Sends the INVITE with this offer. Once; nothing happens when the leg is over already. */
  invite(options: Omit<InviteOptions, "body">, offer: SessionDescription): void {
    if (this.ended) return;
    this.#offer = offer;
    this.#invite = this.#userAgent.invite(
      { ...options, body: bodyOf(offer) },
      {
        onProvisional: (response, body) => this.#provisional(response, body),
        onUpdate: (_request, body) => this.answerEarly(body),
        onAnswered: (dialog, response, body) => {
          this.#hear(response);
          return this.#answered(dialog, body);
        },
        onFailed: (failure) => this.end("refuse", endOf(failure)),
      },
    );
    this.#callId = this.#invite.callId;
    this.log = this.log.child({ callId: this.#callId });
  }

  /** The leg came to nothing before an INVITE could be sent. */
  fail(sipStatus: number | null): void {
    this.end("refuse", { cause: "failed", by: "local", sipStatus, reasons: [] });
  }

  override hangup({ reasons = [] }: { readonly reasons?: readonly string[] } = {}): void {
    if (this.answered) this.bye(reasons);
    else {
      // A 2xx that crosses the CANCEL gets ACK and BYE from the user agent (RFC 3261 §9.1).
      this.#invite?.cancel(reasons[0]);
      this.end("cancel", { cause: "canceled", by: "local", sipStatus: 487, reasons });
    }
  }

  #hear({ headers }: SipResponse): void {
    this.isRecordAware ||= hasToken(headers, "Supported", "record-aware");
  }

  #provisional(response: SipResponse, body: readonly ReceivedPart[]): void {
    if (response.status === 100) return;
    this.#hear(response);
    const remoteTag = tagOf(response.headers.get("To"));
    this.#localTag = tagOf(response.headers.get("From"));
    if (remoteTag !== undefined && this.#earlyTags.size < MAXIMUM_EARLY_DIALOGS)
      this.#earlyTags.add(remoteTag);
    const description = descriptionIn(body);
    if (description.ok && description.value) {
      const tag = remoteTag ?? "";
      if (this.#early.size < MAXIMUM_EARLY_DIALOGS || this.#early.has(tag))
        this.#early.set(tag, description.value);
      if (this.step("earlyMedia")) this.observer.earlyMedia(description.value);
    } else if (this.state === "Idle" && this.step("ring")) this.observer.ringing();
  }

  #answered(dialog: SipDialog, body: readonly ReceivedPart[]): undefined {
    if (!this.step("answer")) {
      void dialog.bye();
      return;
    }
    this.confirm(dialog);
    const description = descriptionIn(body);
    if (!description.ok)
      this.log.warn({ error: description.error.message }, "leg: the answer cannot be read");
    // Of a forked INVITE each callee has described itself; the one who answers counts, in its 2xx or before.
    const told = description.ok ? description.value : undefined;
    this.observer.answered(told ?? this.#early.get(dialog.remoteTag));
  }
}

function endOf(failure: InviteFailure): LegEnd {
  const reasons = failure.response?.headers.lines("Reason") ?? [];
  const end = { sipStatus: failure.status, reasons } as const;
  switch (failure.cause) {
    case "rejected":
      return { ...end, cause: "refused", by: "remote" };
    case "timeout":
      return { ...end, cause: "no-answer", by: "local" };
    case "canceled":
      return { ...end, cause: "canceled", by: "local" };
    case "transport":
    case "unresolvable":
      return { ...end, cause: "failed", by: "local" };
  }
}
