import {
  AF_INET,
  CQE_F_MORE,
  ETIME,
  MSG_DONTWAIT,
  MSGHDR_BYTES,
  OP_RECVMSG,
  OP_SEND,
  RECV_MULTISHOT,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SQE_BUFFER_SELECT,
  SQE_CQE_SKIP_SUCCESS,
  SQE_FIXED_FILE,
} from "./abi.ts";
import type { Address, Kernel } from "./kernel.ts";
import { BUFFER_STRIDE, PACKET_AT, ReceiveBuffers, SOURCE_AT } from "./receive-buffers.ts";
import { Ring, WORD } from "./ring.ts";
import { readSocketPort, SOCKADDR_BYTES, writeSocketAddress } from "./socket-address.ts";
import { SystemCallError } from "./system-call-error.ts";

const BUFFERS = 4;
const MESSAGE_BYTES = 100;
const WAIT_MS = 1000;

/** What differs among kernels on which it works. */
export interface UringAbilities {
  /** A file that leaves the ring's table is closed at once. Before Linux 6.13 it waits for other files' receives. */
  readonly fixedFiles: boolean;
}

/**
 * Tries on a small ring what the packet path relies on: a packet sent to ourselves is received by a lasting entry, into
 * a provided buffer, with its source.
 *
 * @throws Error - says what does not work
 */
export function probeUring(kernel: Kernel): UringAbilities {
  const ring = new Ring(kernel, 8, 64);
  const sockets: number[] = [];
  try {
    const slab = new DataView(new ArrayBuffer(BUFFERS * BUFFER_STRIDE));
    const buffers = new ReceiveBuffers(kernel, ring, kernel.addressOf(slab.buffer), BUFFERS);
    ring.registerFiles(2);
    const receiver = openSocket(kernel);
    sockets.push(receiver.descriptor);
    const sender = openSocket(kernel);
    sockets.push(sender.descriptor);
    ring.updateFile(0, receiver.descriptor);
    ring.updateFile(1, sender.descriptor);
    const head = new DataView(new ArrayBuffer(MSGHDR_BYTES));
    head.setUint32(8, SOCKADDR_BYTES, true);
    const flags = SQE_FIXED_FILE | SQE_BUFFER_SELECT | (RECV_MULTISHOT << 8);
    const receive = write(ring, OP_RECVMSG | (flags << 8), 0, kernel.addressOf(head.buffer), 1);
    ring.words[receive + WORD.bufferGroup] = buffers.group;
    const message = new ArrayBuffer(MESSAGE_BYTES);
    const name = new DataView(new ArrayBuffer(SOCKADDR_BYTES));
    const nameAt = kernel.addressOf(name.buffer);
    const send = write(
      ring,
      OP_SEND | ((SQE_FIXED_FILE | SQE_CQE_SKIP_SUCCESS) << 8),
      1,
      kernel.addressOf(message),
      MESSAGE_BYTES,
    );
    ring.words[send + WORD.operationFlags] = MSG_DONTWAIT;
    ring.words[send + WORD.address2Low] = nameAt;
    ring.words[send + WORD.address2High] = nameAt / 0x1_0000_0000;
    ring.words[send + WORD.addressLength] = writeSocketAddress(name, 0, "127.0.0.1", receiver.port);
    expectPacket(ring, slab, sender.port);
    // The receive of the other goes on meanwhile.
    ring.updateFile(1, -1);
    kernel.close(sender.descriptor);
    sockets.pop();
    const again = openSocket(kernel, sender.port);
    if (again.descriptor >= 0) sockets.push(again.descriptor);
    return { fixedFiles: again.descriptor >= 0 };
  } finally {
    ring.close();
    for (const socket of sockets) kernel.close(socket);
  }
}

function write(ring: Ring, operation: number, file: number, address: Address, length: number): number {
  const at = ring.next();
  const { words } = ring;
  words.fill(0, at, at + 12);
  words[at + WORD.operation] = operation;
  words[at + WORD.file] = file;
  words[at + WORD.addressLow] = address;
  words[at + WORD.addressHigh] = address / 0x1_0000_0000;
  words[at + WORD.length] = length;
  return at;
}

function expectPacket(ring: Ring, slab: DataView, fromPort: number): void {
  const entered = ring.enter(1, WAIT_MS, 0);
  if (entered < 0 && entered !== -ETIME) throw new SystemCallError("io_uring_enter", -entered);
  if (ring.completed === 0) throw new Error("io_uring does not deliver packets");
  const at = ring.oldest;
  const [result, flags] = [ring.completions[at + 2]!, ring.completions[at + 3]!];
  ring.taken();
  if (result < 0) throw new SystemCallError("receive by io_uring", -result);
  const from = (flags >>> 16) * BUFFER_STRIDE + SOURCE_AT;
  if (
    result !== PACKET_AT + MESSAGE_BYTES ||
    (flags & CQE_F_MORE) === 0 ||
    readSocketPort(slab, from) !== fromPort
  ) {
    throw new Error("io_uring delivers packets otherwise than was expected");
  }
}

/** @returns descriptor −1 when that port is taken; port 0 picks any */
function openSocket(kernel: Kernel, wanted = 0): { readonly descriptor: number; readonly port: number } {
  const name = new DataView(new ArrayBuffer(SOCKADDR_BYTES + 4));
  const at = kernel.addressOf(name.buffer);
  const descriptor = kernel.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC);
  if (descriptor < 0) throw new SystemCallError("socket", -descriptor);
  const bound = kernel.bind(descriptor, at, writeSocketAddress(name, 0, "127.0.0.1", wanted));
  name.setUint32(SOCKADDR_BYTES, SOCKADDR_BYTES, true);
  const named = bound < 0 ? bound : kernel.socketName(descriptor, at, at + SOCKADDR_BYTES);
  if (named >= 0) return { descriptor, port: readSocketPort(name, 0) };
  kernel.close(descriptor);
  if (wanted !== 0) return { descriptor: -1, port: wanted };
  throw new SystemCallError("bind", -named);
}
