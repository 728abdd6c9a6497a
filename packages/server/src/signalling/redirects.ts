import { parseContact, parseSipUri, type SipResponse, sipUriEquals } from "@callfork/protocol/sip";

/** Addresses that one INVITE goes to after 3xx answers, in all. */
const MAX_REDIRECTS = 5;

/**
 * The contacts of 3xx answers to one INVITE (RFC 3261 §8.1.3.4): best first, none twice, not more than a few, and
 * never to a scheme that is not SIP, nor from SIPS to SIP.
 */
export class Redirects {
  readonly #tried: string[];
  readonly #waiting: string[] = [];
  readonly #isSecure: boolean;

  constructor(requestUri: string) {
    this.#tried = [requestUri];
    this.#isSecure = /^sips:/i.test(requestUri);
  }

  /** Whether a status says where to ask next. 305 and 380 say something else (§21.3.4, §21.3.5). */
  static isRedirect(status: number): boolean {
    return status === 300 || status === 301 || status === 302;
  }

  /** Addresses tried after the first. */
  get followed(): readonly string[] {
    return this.#tried.slice(1);
  }

  /** Takes the contacts of a 3xx before those that wait from earlier ones. */
  take(response: SipResponse): void {
    const found = response.headers.list("Contact").flatMap((line) => {
      const contact = parseContact(line);
      if (!contact.ok || contact.value === "*") return [];
      const { uri, params } = contact.value;
      const parsed = parseSipUri(uri);
      if (!parsed.ok || (this.#isSecure && parsed.value.scheme !== "sips")) return [];
      const q = Number(params.get("q") ?? "1");
      // Headers in a Contact would be the redirector's words in our mouth.
      return [{ uri: uri.replace(/\?.*$/s, ""), q: q >= 0 && q <= 1 ? q : 0 }];
    });
    found.sort((a, b) => b.q - a.q);
    this.#waiting.unshift(...found.map(({ uri }) => uri));
  }

  /** The next address; undefined when there is none, or enough have been tried. */
  next(): string | undefined {
    while (this.followed.length < MAX_REDIRECTS) {
      const uri = this.#waiting.shift();
      if (uri === undefined) return undefined;
      if (this.#tried.some((known) => isSame(known, uri))) continue;
      this.#tried.push(uri);
      return uri;
    }
    return undefined;
  }
}

function isSame(a: string, b: string): boolean {
  const [left, right] = [parseSipUri(a), parseSipUri(b)];
  return a === b || (left.ok && right.ok && sipUriEquals(left.value, right.value));
}
