/** The part of a pino logger that the rooms use. Every line about a call carries `callId` or `callSid`. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(fields: object): Log;
}

/** What the debugger shows: something went wrong that somebody should know of. */
export interface Alert {
  readonly accountSid: string;
  /** Twilio's error code, or one of ours from docs/errors.md. */
  readonly errorCode: number;
  readonly level: "error" | "warning" | "notice";
  readonly text: string;
  readonly callSid?: string | undefined;
  /** The SR…, RE…, XE… or CA… it is about. */
  readonly resourceSid?: string | undefined;
  readonly requestMethod?: string | undefined;
  readonly requestUrl?: string | undefined;
  readonly requestVariables?: string | undefined;
  readonly responseStatus?: number | undefined;
  /** At most 4 KiB of what came back. */
  readonly responseBody?: string | undefined;
}

export interface Alerts {
  /** Never throws and never waits: a failing alert is logged. */
  raise(alert: Alert): void;
}
