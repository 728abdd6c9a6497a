import type { Call } from "./call.ts";
import type { House } from "./house.ts";
import { combined, RecordingNotice } from "./recording-notice.ts";
import type { NoticeChoice } from "./recording-policy.ts";
import { RecordingWish } from "./recording-wish.ts";

/** Numbers of docs/errors.md. */
const NOT_TOLD_CODE = 98030;
const PREFERENCE_CODE = 98031;

type Raise = (errorCode: number, level: "warning" | "notice", text: string) => void;

/** What recording means for the party of one call: what it is told, and what it wishes. */
export class CallRecording {
  readonly #call: Call;
  readonly #notice: RecordingNotice;
  readonly #wish: RecordingWish;

  constructor(house: House, call: Call, choice: NoticeChoice, raise: Raise) {
    this.#call = call;
    const policy = house.options.recording;
    this.#notice = new RecordingNotice(
      {
        get leg() {
          return call.leg;
        },
        get log() {
          return call.log;
        },
        announce: async (samples) => {
          const { port } = call.leg.media;
          if (port) await house.media.play(port.id, { samples, loop: 1, isAnnouncement: true });
        },
        announcement: () => {
          if (!policy) return Promise.reject(new Error("nothing is configured to be announced"));
          const { accountSid, sid: callSid } = call;
          return policy.announcement({ accountSid, callSid, url: choice.announcementUrl });
        },
        warn: (text) => raise(NOT_TOLD_CODE, "warning", text),
      },
      policy,
      choice,
    );
    this.#wish = new RecordingWish(
      {
        preference: () => call.tap.recordingPreference(),
        taps: () => (call.ended ? [] : [call, this.#other].flatMap((one) => one?.tap ?? [])),
        get log() {
          return call.log;
        },
        report: (preference) => {
          call.log.info({ preference }, "recording: a party has a wish");
          raise(PREFERENCE_CODE, "notice", `the party wishes of its recording: ${preference}`);
        },
      },
      policy,
    );
    call.tap.onRecording = () => this.changed();
  }

  /** A fork has changed, or what a party says: it concerns whoever talks in the call. */
  changed(): void {
    this.#update();
    const other = this.#other;
    if (other) other.recording.#update();
  }

  /** Somebody else sits at the call's leg. */
  partyChanged(): void {
    this.#notice.partyChanged();
    this.#update();
  }

  /** Here, in the call that it talks to, or by that one's peer (RFC 7866 §7.3.1): who is recorded once is recorded. */
  #update(): void {
    if (!this.#call.ended) {
      const other = this.#other;
      const { tap } = this.#call;
      this.#notice.update(combined([tap.recording, other?.tap.recording, other?.leg.media.recordIndication]));
    }
    this.#wish.update();
  }

  get #other(): Call | undefined {
    return this.#call.conversation?.otherOf(this.#call);
  }
}
