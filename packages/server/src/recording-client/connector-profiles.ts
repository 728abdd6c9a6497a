import type { ConnectorUriDefaults } from "@callfork/protocol/siprec";
import type { ConnectorSettings } from "./ports.ts";

export const CONNECTOR_PROFILES = [
  "generic",
  "google-agent-assist",
  "dynamics-365",
  "amazon-chime",
  "sbc-recorder",
  "callfork",
] as const;

/** A kind of recorder: gives what a connector does not say of itself. */
export type ConnectorProfile = (typeof CONNECTOR_PROFILES)[number];

export interface ProfileDefaults {
  readonly settings: Partial<ConnectorSettings>;
  /** What SIP URIs of the connector leave open. */
  readonly uri: ConnectorUriDefaults;
}

/** docs/connectors has a page for each, with what it rests on. */
export const PROFILES: Readonly<Record<ConnectorProfile, ProfileDefaults>> = {
  generic: { settings: {}, uri: {} },
  // The conversation is a custom parameter: projects/{project}/conversations/{id}.
  "google-agent-assist": {
    settings: {
      headers: [
        "Call-Info: <http://dialogflow.googleapis.com/v2beta1/{Parameter.conversation}>" +
          ";purpose=Goog-ContactCenter-Conversation",
      ],
      codecs: ["PCMU", "PCMA"],
      cryptoSuites: ["AES_CM_128_HMAC_SHA1_80"],
    },
    uri: { port: 5672, transport: "tls", secure: true },
  },
  "dynamics-365": {
    settings: {
      headers: ["X-AccountId: {AccountSid}"],
      parameters: ["CallerDisplayName={CallerName|From}", "CalleeDisplayName={To}"],
    },
    uri: { port: 5061, transport: "tls", secure: true },
  },
  "amazon-chime": { settings: { codecs: ["PCMU", "PCMA"] }, uri: {} },
  "sbc-recorder": { settings: { optionsFirst: true, optionsIntervalSeconds: 60 }, uri: {} },
  callfork: { settings: { callData: true, optionsIntervalSeconds: 30 }, uri: { transport: "tcp" } },
};

/** What a connector comes to: what was set for it, else what its profile says, else what holds for all. */
export function settingsOf(set: Partial<ConnectorSettings>, defaults: ConnectorSettings): ConnectorSettings {
  return { ...defaults, ...PROFILES[set.profile ?? defaults.profile].settings, ...set };
}
