import {
  BUF_BYTES,
  CQE_BYTES,
  EINVAL,
  ENTER_EXT_ARG,
  ENTER_GETEVENTS,
  FEAT_EXT_ARG,
  FEAT_MIN_TIMEOUT,
  FEAT_NODROP,
  FEAT_SINGLE_MMAP,
  GETEVENTS_ARG_BYTES,
  OFFSET_SQ_RING,
  OFFSET_SQES,
  PARAMS,
  REGISTER_FILES2,
  REGISTER_PBUF_RING,
  RSRC_REGISTER_SPARSE,
  SETUP_CQSIZE,
  SETUP_DEFER_TASKRUN,
  SETUP_SINGLE_ISSUER,
  SETUP_SUBMIT_ALL,
  SQ_CQ_OVERFLOW,
  SQE_BYTES,
} from "./abi.ts";
import type { Address, Kernel, Mapping } from "./kernel.ts";
import { SystemCallError } from "./system-call-error.ts";

const REQUIRED = FEAT_SINGLE_MMAP | FEAT_NODROP | FEAT_EXT_ARG;
/** IORING_REGISTER_FILES_UPDATE: one descriptor at one place of the table. */
const REGISTER_FILES_UPDATE = 6;
const TIMESPEC_AT = GETEVENTS_ARG_BYTES;
const NOTHING = new Uint32Array(0);

/** Words of a submission entry, as `Ring.words` is indexed: entry + one of these. */
export const WORD = {
  /** opcode | flags << 8 | ioprio << 16 */
  operation: 0,
  file: 1,
  address2Low: 2,
  address2High: 3,
  addressLow: 4,
  addressHigh: 5,
  length: 6,
  /** msg_flags, poll events, cancel flags */
  operationFlags: 7,
  userLow: 8,
  userHigh: 9,
  bufferGroup: 10,
  addressLength: 11,
} as const;

/**
 * One io_uring: entries are written straight into its mapped memory, and one system call hands them over and waits.
 *
 * With SETUP_DEFER_TASKRUN the kernel touches the rings only while this thread is in `enter`: plain loads and stores
 * are all the ordering there is to see to.
 */
export class Ring {
  readonly descriptor: number;
  readonly features: number;
  /** The submission entries, 16 words each. Not to be kept: after `close` it is another array. */
  words: Uint32Array = NOTHING;
  readonly #kernel: Kernel;
  readonly #mappings: Mapping[] = [];
  #ring: Uint32Array = NOTHING;
  #completions: Int32Array = new Int32Array(NOTHING.buffer);
  readonly #sqMask: number;
  readonly #sqHeadAt: number;
  readonly #sqTailAt: number;
  readonly #sqFlagsAt: number;
  readonly #cqMask: number;
  readonly #cqHeadAt: number;
  readonly #cqTailAt: number;
  readonly #cqesAt: number;
  readonly #argument = new ArrayBuffer(GETEVENTS_ARG_BYTES + 16);
  readonly #argumentView = new DataView(this.#argument);
  readonly #argumentAt: Address;
  #tail = 0;
  #closed = false;

  /** @throws SystemCallError - the kernel does not allow it, or is too old */
  constructor(kernel: Kernel, entries: number, completions: number) {
    this.#kernel = kernel;
    const params = new ArrayBuffer(PARAMS.bytes);
    const view = new DataView(params);
    const flags = SETUP_CQSIZE | SETUP_SUBMIT_ALL | SETUP_SINGLE_ISSUER | SETUP_DEFER_TASKRUN;
    view.setUint32(PARAMS.flags, flags, true);
    view.setUint32(PARAMS.cqEntries, completions, true);
    this.descriptor = check("io_uring_setup", kernel.setup(entries, kernel.addressOf(params)));
    const get = (at: number): number => view.getUint32(at, true);
    this.features = get(PARAMS.features);
    try {
      if ((this.features & REQUIRED) !== REQUIRED) throw new SystemCallError("io_uring_setup", EINVAL);
      const { sq, cq } = PARAMS;
      const sqEntries = get(PARAMS.sqEntries);
      const ringBytes = Math.max(
        get(sq.array) + 4 * sqEntries,
        get(cq.cqes) + CQE_BYTES * get(PARAMS.cqEntries),
      );
      const ring = this.#map(OFFSET_SQ_RING, ringBytes);
      this.#ring = new Uint32Array(ring, 0, ringBytes >> 2);
      this.#completions = new Int32Array(ring, 0, ringBytes >> 2);
      this.words = new Uint32Array(this.#map(OFFSET_SQES, sqEntries * SQE_BYTES));
      this.#sqHeadAt = get(sq.head) >> 2;
      this.#sqTailAt = get(sq.tail) >> 2;
      this.#sqFlagsAt = get(sq.flags) >> 2;
      this.#sqMask = this.#ring[get(sq.mask) >> 2]!;
      this.#cqHeadAt = get(cq.head) >> 2;
      this.#cqTailAt = get(cq.tail) >> 2;
      this.#cqMask = this.#ring[get(cq.mask) >> 2]!;
      this.#cqesAt = get(cq.cqes) >> 2;
      // Entries are handed over in the order in which they lie.
      for (let i = 0; i < sqEntries; i++) this.#ring[(get(sq.array) >> 2) + i] = i;
    } catch (error) {
      this.close();
      throw error;
    }
    this.#argumentAt = kernel.addressOf(this.#argument);
    const timespec = BigInt(this.#argumentAt + TIMESPEC_AT);
    this.#argumentView.setBigUint64(16, timespec, true);
  }

  /** Linux waits for company by itself; without, waiting takes two calls. */
  get waitsForCompany(): boolean {
    return (this.features & FEAT_MIN_TIMEOUT) !== 0;
  }

  /** Completions had to wait in the kernel for want of room. */
  get overflowed(): boolean {
    return (this.#ring[this.#sqFlagsAt]! & SQ_CQ_OVERFLOW) !== 0;
  }

  /** Entries written that the kernel has not taken yet. */
  get pending(): number {
    return (this.#tail - this.#ring[this.#sqHeadAt]!) >>> 0;
  }

  /** Where the rings lie. */
  get mappings(): readonly { readonly address: bigint; readonly length: number }[] {
    return this.#mappings.map(({ address, bytes }) => ({ address, length: bytes.byteLength }));
  }

  /**
   * The next entry to fill, all of whose words the caller writes up to `WORD.addressLength`.
   *
   * @returns its first word in `words`, or −1 when the ring is full: `enter` makes room
   */
  next(): number {
    const tail = this.#tail;
    if ((tail - this.#ring[this.#sqHeadAt]!) >>> 0 > this.#sqMask) return -1;
    this.#tail = (tail + 1) >>> 0;
    return (tail & this.#sqMask) << 4;
  }

  /**
   * Hands over what was written, and waits.
   *
   * @param minComplete - how many completions are worth waking up for; 0 does not wait
   * @param timeoutMs - at the longest
   * @param companyMs - after so long any completion will do
   * @returns −errno of the call; 0 when it did its work or its time was up
   */
  enter(minComplete: number, timeoutMs: number, companyMs: number): number {
    if (this.#closed) return 0;
    const ring = this.#ring;
    ring[this.#sqTailAt] = this.#tail;
    const toSubmit = (this.#tail - ring[this.#sqHeadAt]!) >>> 0;
    if (minComplete === 0) {
      return this.#kernel.enter(this.descriptor, toSubmit, 0, ENTER_GETEVENTS, 0, 0);
    }
    if (this.waitsForCompany || minComplete === 1) {
      return this.#wait(toSubmit, minComplete, timeoutMs, companyMs);
    }
    const first = this.#wait(toSubmit, 1, timeoutMs, 0);
    if (first < 0 || this.completed >= minComplete || companyMs <= 0) return first;
    return this.#wait(0, minComplete, companyMs, 0);
  }

  #wait(toSubmit: number, minComplete: number, timeoutMs: number, companyMs: number): number {
    const view = this.#argumentView;
    const seconds = Math.floor(timeoutMs / 1000);
    view.setUint32(12, companyMs * 1000, true);
    view.setUint32(TIMESPEC_AT, seconds, true);
    view.setUint32(TIMESPEC_AT + 8, (timeoutMs - seconds * 1000) * 1e6, true);
    return this.#kernel.enter(
      this.descriptor,
      toSubmit,
      minComplete,
      ENTER_GETEVENTS | ENTER_EXT_ARG,
      this.#argumentAt,
      GETEVENTS_ARG_BYTES,
    );
  }

  /** Completions that lie ready. */
  get completed(): number {
    return (this.#ring[this.#cqTailAt]! - this.#ring[this.#cqHeadAt]!) >>> 0;
  }

  /**
   * The oldest completion that lies ready; `taken` makes room for another.
   *
   * @returns the place of its four words in `completions`: user data low and high, result, flags
   */
  get oldest(): number {
    return this.#cqesAt + ((this.#ring[this.#cqHeadAt]! & this.#cqMask) << 2);
  }

  get completions(): Int32Array {
    return this.#completions;
  }

  taken(): void {
    this.#ring[this.#cqHeadAt]!++;
  }

  /** @throws SystemCallError */
  registerFiles(count: number): void {
    const argument = new DataView(new ArrayBuffer(32));
    argument.setUint32(0, count, true);
    argument.setUint32(4, RSRC_REGISTER_SPARSE, true);
    this.#register("register files", REGISTER_FILES2, argument, 32);
  }

  /**
   * @param descriptor - −1 empties the place
   * @throws SystemCallError
   */
  updateFile(place: number, descriptor: number): void {
    const argument = new DataView(new ArrayBuffer(24));
    argument.setUint32(0, place, true);
    argument.setInt32(16, descriptor, true);
    const at = this.#kernel.addressOf(argument.buffer) + 16;
    argument.setBigUint64(8, BigInt(at), true);
    this.#register("update files", REGISTER_FILES_UPDATE, argument, 1);
  }

  /**
   * @param at - page-aligned room for `entries` of `BUF_BYTES`
   * @throws SystemCallError
   */
  registerBuffers(at: Address, entries: number, group: number): void {
    const argument = new DataView(new ArrayBuffer(40));
    argument.setBigUint64(0, BigInt(at), true);
    argument.setUint32(8, entries, true);
    argument.setUint16(12, group, true);
    this.#register(`register ${entries * BUF_BYTES} octets of buffers`, REGISTER_PBUF_RING, argument, 1);
  }

  /** Everything that is with the kernel is given up. Whoever still writes entries writes them to nobody. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.words = this.words.slice();
    this.#ring = this.#ring.slice();
    this.#completions = new Int32Array(this.#ring.buffer);
    for (const { address, length } of this.mappings) this.#kernel.unmap(address, length);
    this.#kernel.close(this.descriptor);
  }

  #register(what: string, operation: number, argument: DataView<ArrayBuffer>, count: number): void {
    const at = this.#kernel.addressOf(argument.buffer);
    check(what, this.#kernel.register(this.descriptor, operation, at, count));
  }

  #map(offset: number, length: number): ArrayBuffer {
    const mapping = this.#kernel.map(this.descriptor, offset, length);
    if (typeof mapping === "number") throw new SystemCallError("mmap", -mapping);
    this.#mappings.push(mapping);
    return mapping.bytes;
  }
}

function check(call: string, result: number): number {
  if (result < 0) throw new SystemCallError(call, -result);
  return result;
}
