/** What came back from a voice URL. */
export interface FetchedDocument {
  readonly status: number;
  /** Lower-case media type without parameters; "" when none was given. */
  readonly contentType: string;
  /** At most the limit asked for; `truncated` tells that there was more. */
  readonly body: Uint8Array;
  readonly truncated: boolean;
  /** The URL after redirects: what relative URLs in the document resolve against. */
  readonly url: string;
}

/**
 * Fetches documents and audio from customers' servers: signed with the account's token, guarded against private
 * addresses, connection overrides obeyed. The `callbacks` room implements it. Rejects with a `PlatformError` whose
 * publicCode is Twilio's (11200 non-2xx is NOT an error here; 11205 connect and time-out, 11210 bad host …).
 */
export interface DocumentFetcher {
  fetch(request: {
    readonly accountSid: string;
    readonly callSid: string;
    readonly url: string;
    readonly method: "GET" | "POST";
    readonly parameters: readonly (readonly [string, string])[];
    readonly maximumBytes: number;
    readonly signal: AbortSignal;
  }): Promise<FetchedDocument>;
}
