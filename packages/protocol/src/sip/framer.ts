import { parseDecimal, utf8Decode } from "../text/index.ts";
import { findHeadEnd } from "./head.ts";
import { headerKey } from "./header-names.ts";
import { DEFAULT_SIP_LIMITS, type SipLimits } from "./limits.ts";
import type { SipParseError } from "./parse-error.ts";
import { parseSipMessage } from "./parse-message.ts";

export type FramerOutput =
  /** One whole message, for `parseSipMessage(bytes, { framing: "stream" })`. */
  | { readonly kind: "message"; readonly bytes: Uint8Array }
  /** Two line ends between messages: answer with one CRLF (RFC 5626 §4.4.1). */
  | { readonly kind: "ping" }
  /** One line end between messages: the answer to our ping, or nothing. */
  | { readonly kind: "pong" }
  /** Framing is lost: answer when `status` and `request` are there, then close the connection. */
  | { readonly kind: "error"; readonly error: SipParseError };

/**
 * Cuts the octets of a TCP or TLS connection into messages (RFC 3261 §7.5, §18.3). Content-Length decides and must be
 * there.
 *
 * Holds at most one unfinished message, bounded by the limits. After an error it yields nothing more.
 *
 * A line end on which a chunk ends is a `pong` at once, since a peer may wait for it; should the next chunk begin with
 * the other half of a double line end, a `ping` follows.
 */
export class SipStreamFramer {
  readonly #limits: SipLimits;
  /** The unfinished message from its first octet on: `#held[0, #length)`. */
  #held: Uint8Array = EMPTY;
  #length = 0;
  /** How much of the unfinished head holds no empty line, so that a slow peer costs no second look. */
  #scanned = 0;
  /** Octets of the unfinished message, once its head is there. */
  #wanted = 0;
  #halfPing = false;
  #failed = false;

  constructor(options: { readonly limits?: SipLimits } = {}) {
    this.#limits = options.limits ?? DEFAULT_SIP_LIMITS;
  }

  /** Octets of the message that is unfinished; 0 between messages. */
  get heldBytes(): number {
    return this.#length;
  }

  /**
   * Takes the next octets of the connection.
   *
   * @param chunk - may be reused by the caller once the messages that lie in it were dealt with
   * @returns what they complete, in order. A message that lay in `chunk` as a whole is a view into it, else a view into
   *   a buffer of its own; the framer never writes to either again.
   */
  push(chunk: Uint8Array): FramerOutput[] {
    if (this.#failed || chunk.length === 0) return [];
    const outputs: FramerOutput[] = [];
    const carried = this.#length > 0;
    const data = carried ? this.#append(chunk) : chunk;
    let at = 0;
    let cut = false;
    for (;;) {
      if (this.#scanned === 0) {
        at = this.#readLineEnds(data, at, outputs);
        if (isLoneCr(data, at)) break;
      }
      if (at === data.length) break;
      const size = this.#measure(data.subarray(at));
      if (typeof size !== "number") {
        this.#failed = true;
        this.#held = EMPTY;
        this.#length = 0;
        outputs.push({ kind: "error", error: size });
        return outputs;
      }
      if (size === 0) break;
      outputs.push({ kind: "message", bytes: data.subarray(at, at + size) });
      at += size;
      cut = true;
      this.#scanned = 0;
      this.#wanted = 0;
    }
    if (!carried || cut || at > 0) this.#hold(data.subarray(at));
    return outputs;
  }

  /** Keep-alives between two messages. */
  #readLineEnds(data: Uint8Array, from: number, outputs: FramerOutput[]): number {
    let at = from;
    let unpaired = this.#halfPing;
    let announced = this.#halfPing;
    for (;;) {
      const next = skipOneLineEnd(data, at);
      if (next === at) break;
      at = next;
      if (unpaired) outputs.push({ kind: "ping" });
      unpaired = !unpaired;
      announced = false;
    }
    if (unpaired && !announced) outputs.push({ kind: "pong" });
    // A lone CR at the end of the chunk may be the start of the other half.
    this.#halfPing = unpaired && (at === data.length || isLoneCr(data, at));
    return at;
  }

  /** Size of the message at the start of `data`; 0 while it is unfinished. */
  #measure(data: Uint8Array): number | SipParseError {
    if (this.#wanted === 0) {
      const limits = this.#limits;
      const end = findHeadEnd(data, Math.max(this.#scanned - 3, 0), Math.min(data.length, limits.headBytes));
      if (end === undefined) {
        this.#scanned = data.length;
        const noLine = data.length > limits.startLineBytes + 2 && data.indexOf(0x0a) < 0;
        if (noLine)
          return { code: "SIP_TOO_LARGE", message: "start line too long", offset: limits.startLineBytes };
        if (data.length >= limits.headBytes + 2) return this.#refuse(data, "SIP_TOO_LARGE", "head too large");
        return 0;
      }
      const head = data.subarray(0, end.bodyStart);
      const length = readContentLength(utf8Decode(head));
      if (length === undefined) return this.#refuse(head, "SIP_CONTENT_LENGTH", "no usable Content-Length");
      if (length > limits.bodyBytes) return this.#refuse(head, "SIP_TOO_LARGE", "body too large");
      this.#scanned = data.length;
      this.#wanted = end.bodyStart + length;
    }
    return data.length < this.#wanted ? 0 : this.#wanted;
  }

  /** The parser knows best what is wrong with such a head, and what of it can be answered. */
  #refuse(head: Uint8Array, code: SipParseError["code"], message: string): SipParseError {
    const parsed = parseSipMessage(head, { limits: this.#limits, framing: "stream" });
    return parsed.ok ? { code, message, offset: head.length } : parsed.error;
  }

  /** Adds to the unfinished message; grows by doubling, so that one octet a chunk costs no square. */
  #append(chunk: Uint8Array): Uint8Array {
    const length = this.#length + chunk.length;
    if (length > this.#held.length) {
      const grown = new Uint8Array(Math.max(length, 2 * this.#held.length, 1024));
      grown.set(this.#held.subarray(0, this.#length));
      this.#held = grown;
    }
    this.#held.set(chunk, this.#length);
    this.#length = length;
    return this.#held.subarray(0, length);
  }

  /**
   * Keeps a copy of the rest: what was handed out before it belongs to others, and the chunk may be written over.
   * (`slice` would not do: on a Node `Buffer` it is a view.)
   */
  #hold(rest: Uint8Array): void {
    this.#held = rest.length === 0 ? EMPTY : new Uint8Array(rest);
    this.#length = rest.length;
  }
}

const EMPTY: Uint8Array = new Uint8Array(0);

function isLoneCr(data: Uint8Array, at: number): boolean {
  return data[at] === 0x0d && at + 1 === data.length;
}

function skipOneLineEnd(data: Uint8Array, at: number): number {
  if (data[at] === 0x0a) return at + 1;
  return data[at] === 0x0d && data[at + 1] === 0x0a ? at + 2 : at;
}

/** The one Content-Length of a head; `undefined` when there is none, more than one, or no number. */
function readContentLength(head: string): number | undefined {
  let length: number | undefined;
  let found = false;
  for (let at = head.indexOf("\n") + 1; at > 0; at = head.indexOf("\n", at) + 1) {
    const initial = head.charCodeAt(at) | 0x20;
    if (initial !== 0x6c && initial !== 0x63) continue;
    const line = /([A-Za-z-]+)[ \t]*:((?:[^\n]|\n[ \t])*)/y;
    line.lastIndex = at;
    const match = line.exec(head);
    if (match === null || headerKey(match[1]!) !== "content-length") continue;
    if (found) return undefined;
    found = true;
    length = parseDecimal(match[2]!.trim(), Number.MAX_SAFE_INTEGER);
    if (length === undefined) return undefined;
  }
  return length;
}
