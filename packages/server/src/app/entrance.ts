import type { Random } from "@callfork/protocol/text";
import type { CallRoom } from "../calls/index.ts";
import type { Config } from "../config/index.ts";
import type { Clock } from "../net/index.ts";
import type { RecordingClient } from "../recording-client/index.ts";
import { createRecordingPermit } from "../recording-server/index.ts";
import {
  type Authenticator,
  createAuthenticator,
  type DialogAnswer,
  type DigestUser,
  type IncomingInvite,
  type StrangerPolicy,
} from "../signalling/index.ts";
import { watchLoad } from "./load-watch.ts";

export interface EntranceOptions {
  readonly config: Pick<Config, "sip" | "recorder">;
  readonly clock: Clock;
  readonly random: Random;
  readonly realm: string;
}

/** Who may come in, and when: what the user agent asks before the rooms see anything. */
export interface Entrance {
  readonly authenticator: Authenticator;
  readonly strangers: StrangerPolicy;
  readonly isOverloaded: () => boolean;
  /** The rooms that know trunks and recorders; strangers are judged by them from then on. */
  attach(calls: CallRoom, recordingClient: Pick<RecordingClient, "knows" | "authenticates">): void;
  /** False when the recording client has to prove who it is first; it has been answered then. */
  admitsRecording(invite: IncomingInvite): boolean;
  /** OPTIONS outside dialogs get what an INVITE would get (RFC 3261 §11.2); undefined: our capabilities. */
  answerOptions(): DialogAnswer | undefined;
  stop(): void;
}

const RETRY_AFTER_SECONDS = "5";

export function createEntrance({ config, clock, random, realm }: EntranceOptions): Entrance {
  const { username, password } = config.recorder;
  const recorderUsers: DigestUser[] =
    username !== undefined && password !== undefined ? [{ username, password }] : [];
  const mayRecord = createRecordingPermit(config.recorder);
  const authenticator = createAuthenticator({ realm, clock, random });
  const load = watchLoad(clock, config.sip.maximumLoad / 100);
  let calls: CallRoom | undefined;
  let recorders: Parameters<Entrance["attach"]>[1] | undefined;
  return {
    authenticator,
    strangers: {
      mode: config.sip.strangers,
      isKnown: (peer) =>
        calls === undefined || calls.knows(peer) || mayRecord(peer) || recorders?.knows(peer) === true,
      mayAuthenticate: () => calls?.authenticates === true || recorders?.authenticates === true,
    },
    isOverloaded: () => load.isOverloaded,
    attach: (room, recordingClient) => {
      calls = room;
      recorders = recordingClient;
    },
    admitsRecording: (invite) => {
      // A peer that may not record is refused by the recorder itself and learns nothing of users.
      if (recorderUsers.length === 0 || !mayRecord(invite.flow)) return true;
      const proof = authenticator.authenticate(invite.request, recorderUsers);
      if (proof.ok) return true;
      invite.reject(401, { headers: proof.headers });
      return false;
    },
    answerOptions: () =>
      calls?.isFull ? { status: 503, headers: [["Retry-After", RETRY_AFTER_SECONDS]] } : undefined,
    stop: () => load.stop(),
  };
}
