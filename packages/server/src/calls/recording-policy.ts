import type { MediaTone } from "../media/index.ts";
import type { Forks } from "./ports.ts";
import type { NumberRecord, RecordingNotice } from "./records.ts";

/** How parties are told that they are recorded, and what their wishes count for. */
export interface RecordingPolicy {
  /** Where a number says nothing of its own. */
  readonly notice: RecordingNotice;
  readonly tone: MediaTone;
  /**
   * What is announced, linear PCM at 8 kHz mono; the configured audio when `url` is null.
   * Rejects with a `PlatformError`.
   */
  announcement(request: {
    readonly accountSid: string;
    readonly callSid: string;
    readonly url: string | null;
  }): Promise<Int16Array>;
  /** `honour`: a party that wishes not to be recorded pauses the call's forks, until it wishes otherwise. */
  readonly preferences: "report" | "honour";
  readonly forks: () => Pick<Forks, "pause" | "resume">;
}

/** What the number of a call, or of the call that makes it, says. */
export interface NoticeChoice {
  readonly notice: RecordingNotice | null;
  readonly announcementUrl: string | null;
}

export const NO_NOTICE_CHOICE: NoticeChoice = { notice: null, announcementUrl: null };

export function noticeChoiceOf({ recordingNotice, recordingAnnouncementUrl }: NumberRecord): NoticeChoice {
  return { notice: recordingNotice ?? null, announcementUrl: recordingAnnouncementUrl ?? null };
}
