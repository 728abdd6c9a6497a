import type { Result } from "@callfork/protocol/text";
import type { SETTINGS } from "./settings.ts";
import type { Config } from "./types.ts";

/** What `SETTINGS` says a configuration is; `Config` says the same with words beside each field. */
type Values<Group> = {
  readonly [Name in keyof Group]: Group[Name] extends { read: (written: never) => Result<infer T, string> }
    ? T
    : Values<Group[Name]>;
};

type Optional = "rtpAddress" | "accountSid" | "authToken" | "secretKey";

type OptionalInTls = "ca";
type OptionalInSiprec = "announcement";
type OptionalInRecorder = "username" | "password" | "statusCallback";

type OptionalInRecordings =
  | "url"
  | "endpoint"
  | "accessKeyId"
  | "secretAccessKey"
  | "vconCertificate"
  | "vconKey";

type WithOptional<Group, Names> = {
  readonly [Name in keyof Group]: Name extends Names ? Group[Name] | undefined : Group[Name];
};

type Found = WithOptional<Values<typeof SETTINGS>, Optional>;

type FromSettings = Omit<Found, "tls" | "recorder" | "recordings" | "siprec"> & {
  readonly recordings: WithOptional<Found["recordings"], OptionalInRecordings>;
  readonly siprec: WithOptional<Found["siprec"], OptionalInSiprec>;
  readonly tls: WithOptional<Found["tls"], OptionalInTls>;
  readonly recorder: WithOptional<Found["recorder"], OptionalInRecorder>;
};

type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : never) : never;

/** Does not compile when the table of settings and `Config` differ. */
export const SETTINGS_MAKE_A_CONFIG: Same<FromSettings, Config> = true;
