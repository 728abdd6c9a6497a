import type { Setting } from "./setting.ts";
import { DNS_SETTINGS, TLS_SETTINGS, WEBHOOKS_SETTINGS, WEBSOCKET_SETTINGS } from "./settings/connections.ts";
import { NODE_SETTINGS } from "./settings/node.ts";
import { RECORDER_SETTINGS } from "./settings/recorder.ts";
import { RECORDINGS_SETTINGS } from "./settings/recordings.ts";
import { SIP_SETTINGS } from "./settings/sip.ts";
import { SIPREC_SETTINGS } from "./settings/siprec.ts";

/** Every setting there is; a group is one level of nesting in callfork.yaml. */
export const SETTINGS = {
  ...NODE_SETTINGS,
  tls: TLS_SETTINGS,
  dns: DNS_SETTINGS,
  websocket: WEBSOCKET_SETTINGS,
  webhooks: WEBHOOKS_SETTINGS,
  sip: SIP_SETTINGS,
  recorder: RECORDER_SETTINGS,
  recordings: RECORDINGS_SETTINGS,
  siprec: SIPREC_SETTINGS,
} as const;

/** Variables that later versions may know: said so plainly, instead of ignored. */
export const NOT_IN_THIS_VERSION: Readonly<Record<string, string>> = {
  databaseUrl: "the database is SQLite in the data dir",
  natsUrl: "a node runs alone",
  rtpengine: "media is embedded",
};

/** A setting with its names: `webhooks.timeoutMs`, `CALLFORK_WEBHOOKS_TIMEOUT_MS`, `webhooks-timeout-ms`. */
export interface NamedSetting {
  readonly path: string;
  readonly variable: string;
  readonly flag: string;
  readonly setting: Setting;
}

export const NAMED_SETTINGS: readonly NamedSetting[] = Object.entries(SETTINGS).flatMap(([name, one]) =>
  "schema" in one
    ? [named(name, one as unknown as Setting)]
    : Object.entries(one).map(([inner, leaf]) => named(`${name}.${inner}`, leaf as unknown as Setting)),
);

function named(path: string, one: Setting): NamedSetting {
  return { path, variable: variableOf(path), flag: flagOf(path), setting: one };
}

export function variableOf(path: string): string {
  return `CALLFORK_${flagOf(path).replaceAll("-", "_").toUpperCase()}`;
}

export function flagOf(path: string): string {
  return path
    .replaceAll(".", "-")
    .replace(/[A-Z]/g, (capital) => `-${capital}`)
    .toLowerCase();
}
