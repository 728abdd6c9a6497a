export type SipTransportName = "udp" | "tcp" | "tls" | "ws" | "wss";

export interface SipListenAddress {
  readonly transport: SipTransportName;
  readonly address: string;
  readonly port: number;
}

/** A local address with a name, from which recording sessions can be made to leave. */
export interface EdgeConfig {
  /** Lower case. */
  readonly name: string;
  /** Where its signalling listens and leaves from. */
  readonly sipListen: readonly SipListenAddress[];
  /** Told in Via, Contact and SDP; undefined: the addresses themselves. */
  readonly publicAddress: string | undefined;
  /** Where its media leaves from. */
  readonly rtpAddress: string;
  /** Undefined: the range of the node. */
  readonly rtpPorts: { readonly first: number; readonly last: number } | undefined;
  /** SIP URI of a proxy that every request from here goes through. */
  readonly outboundProxy: string | undefined;
}

/** What `loadConfig` returns: frozen and fully defaulted; nothing deeper reads the environment. */
export interface Config {
  readonly dataDir: string;
  readonly httpListen: { readonly address: string; readonly port: number };
  /** Base URL without a trailing slash: how webhooks and links name this server. */
  readonly publicUrl: string;
  readonly sipListen: readonly SipListenAddress[];
  /** Advertised media address; undefined: chosen per remote by the route to it. */
  readonly rtpAddress: string | undefined;
  readonly rtpPorts: { readonly first: number; readonly last: number };
  readonly edges: readonly EdgeConfig[];
  readonly accountSid: string | undefined;
  readonly authToken: string | undefined;
  /** 32 octets in base64 or hex; undefined: made at first start in the data dir. */
  readonly secretKey: string | undefined;
  /** Keys that secrets may still be sealed with. */
  readonly previousSecretKeys: readonly string[];
  readonly roles: readonly ("calls" | "recorder" | "api")[];
  readonly mediaWorkers: number;
  readonly mediaIo: "auto" | "uring" | "dgram";
  readonly logLevel: "debug" | "info" | "warn" | "error" | "silent";
  readonly tls: {
    /** PEM files, each with a chain; the first is shown where no other fits the name that the client asked for. */
    readonly certificate: readonly string[];
    /** PEM files, one for each certificate, in the same order. */
    readonly key: readonly string[];
    /** PEM file of authorities that may vouch for SIP peers; undefined: those that Node trusts. */
    readonly ca: string | undefined;
    readonly clientCertificates: "none" | "optional" | "required";
  };
  readonly dns: {
    /** Servers to ask, `address` or `address:port`; empty: the system's. */
    readonly servers: readonly string[];
  };
  readonly websocket: {
    /** Origins that web pages may connect from; `*` is any. */
    readonly allowedOrigins: readonly string[];
  };
  readonly webhooks: {
    /** Address ranges (CIDR) that webhooks may reach although they are not public. */
    readonly allowedAddresses: readonly string[];
    readonly timeoutMs: number;
  };
  readonly sip: {
    readonly strangers: "refuse" | "drop";
    readonly maximumCalls: number;
    /** Per cent of the signalling thread's time. */
    readonly maximumLoad: number;
    readonly maximumConnections: number;
    readonly maximumConnectionsPerAddress: number;
    /** Seconds; 0: none is asked for. */
    readonly sessionInterval: number;
    readonly transfers: "none" | "phones" | "all";
    readonly srtp: "never" | "offered" | "opportunistic" | "required";
    readonly keysInClear: "taken" | "refused";
  };
  readonly recorder: {
    /** Who may record to us: addresses or CIDR ranges; loopback by default. */
    readonly allowedAddresses: readonly string[];
    /** Lower-case SIP domains of certificates. */
    readonly allowedCertificateNames: readonly string[];
    /** SIP user part that names the recorder on a shared listener: `sip:recorder@host`. */
    readonly user: string;
    /** Whom a recording client must prove to be, on top of its address; undefined: the address alone decides. */
    readonly username: string | undefined;
    readonly password: string | undefined;
    readonly strict: boolean;
    /** Webhook that hears of recordings. */
    readonly statusCallback: string | undefined;
    readonly statusCallbackMethod: "GET" | "POST";
    readonly statusCallbackEvents: readonly (
      | "recording-started"
      | "recording-completed"
      | "recording-failed"
    )[];
    /** How single recording clients are taken; the first rule that fits counts. */
    /** Recordings are made into Ogg Opus when they have ended. */
    readonly opus: boolean;
    /** Commands for codecs that Callfork does not know; they read payloads and write 16-bit samples. */
    readonly decoders: readonly { readonly codec: string; readonly command: readonly string[] }[];
    readonly peers: readonly {
      readonly by: "address" | "certificate" | "user";
      readonly is: string;
      readonly profile: "strict" | "lenient" | "plain";
    }[];
    /** What is done with a session that is sent twice. */
    readonly twins: "keep" | "refuse";
    /** WebSockets that hear every recording. */
    readonly streamUrls: readonly string[];
    /** Space on the disk of the data directory below which no recording begins. */
    readonly minimumFreeMebibytes: number;
  };
  readonly recordings: {
    /** Object storage for ended recordings; undefined: they stay in the data directory. */
    readonly url: { readonly bucket: string; readonly prefix: string } | undefined;
    readonly endpoint: string | undefined;
    readonly region: string;
    readonly accessKeyId: string | undefined;
    readonly secretAccessKey: string | undefined;
    readonly encryption: boolean;
    /** 0: for ever. */
    readonly retentionDays: number;
    readonly auditDays: number;
    readonly participants: "keep" | "hash" | "drop";
    readonly extensionData: "keep" | "drop";
    readonly documents: "keep" | "drop";
    /** PEM files; both or none. */
    readonly vconCertificate: string | undefined;
    readonly vconKey: string | undefined;
  };
  readonly siprec: {
    readonly defaultTrack: "inbound_track" | "outbound_track" | "both_tracks";
    readonly extensionNamespace: string;
    readonly unsecuredCopies: "warn" | "refuse";
    /** How parties hear that they are recorded whose phones do not show it. */
    readonly notice: "none" | "tone" | "announcement";
    /** File or URL. */
    readonly announcement: string | undefined;
    /** Hz. */
    readonly toneFrequency: number;
    /** dBm0. */
    readonly toneLevel: number;
    /** Milliseconds. */
    readonly toneDuration: number;
    /** Seconds. */
    readonly toneInterval: number;
    readonly preferences: "report" | "honour";
  };
}
