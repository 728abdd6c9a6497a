import { type Fault, PlatformError } from "../observe/index.ts";

/** Why no answer came, with Twilio's code for it. */
export const WEBHOOK_FAILURES = {
  noAccount: { code: "WEBHOOK_NO_ACCOUNT", publicCode: 20404, fault: "bug" },
  badUrl: { code: "WEBHOOK_BAD_URL", publicCode: 11100, fault: "caller" },
  badHost: { code: "WEBHOOK_BAD_HOST", publicCode: 11210, fault: "caller" },
  addressRefused: { code: "WEBHOOK_ADDRESS_REFUSED", publicCode: 11210, fault: "caller" },
  connectTimeout: { code: "WEBHOOK_CONNECT_TIMEOUT", publicCode: 11205, fault: "network" },
  connectFailed: { code: "WEBHOOK_CONNECT_FAILED", publicCode: 11205, fault: "network" },
  readTimeout: { code: "WEBHOOK_READ_TIMEOUT", publicCode: 11205, fault: "network" },
  totalTimeout: { code: "WEBHOOK_TOTAL_TIMEOUT", publicCode: 11205, fault: "network" },
  connectionLost: { code: "WEBHOOK_CONNECTION_LOST", publicCode: 11205, fault: "network" },
  protocol: { code: "WEBHOOK_PROTOCOL", publicCode: 11206, fault: "peer" },
  redirects: { code: "WEBHOOK_REDIRECTS", publicCode: 11215, fault: "peer" },
  tls: { code: "WEBHOOK_TLS", publicCode: 11220, fault: "peer" },
  certificateName: { code: "WEBHOOK_CERTIFICATE_NAME", publicCode: 11235, fault: "peer" },
  certificateExpired: { code: "WEBHOOK_CERTIFICATE_EXPIRED", publicCode: 11236, fault: "peer" },
  certificateUntrusted: { code: "WEBHOOK_CERTIFICATE_UNTRUSTED", publicCode: 11237, fault: "peer" },
} as const satisfies Record<string, { code: string; publicCode: number; fault: Fault }>;

export type WebhookFailure = keyof typeof WEBHOOK_FAILURES;

/** A customer's server could not be asked. `failure` says at which step. */
export class WebhookError extends PlatformError {
  override readonly name = "WebhookError";
  readonly code: string;
  readonly fault: Fault;
  override readonly httpStatus: number = 502;
  override readonly publicCode: number;
  readonly failure: WebhookFailure;

  constructor(failure: WebhookFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.failure = failure;
    this.code = WEBHOOK_FAILURES[failure].code;
    this.fault = WEBHOOK_FAILURES[failure].fault;
    this.publicCode = WEBHOOK_FAILURES[failure].publicCode;
  }
}
