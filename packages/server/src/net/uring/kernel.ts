import { createRequire } from "node:module";
import { endianness } from "node:os";
import {
  MAP_SHARED_POPULATE,
  PROT_READ_WRITE,
  SYS_IO_URING_ENTER,
  SYS_IO_URING_REGISTER,
  SYS_IO_URING_SETUP,
} from "./abi.ts";

/** An address in this process; below 2⁴⁷. */
export type Address = number;

/**
 * The system calls of the io_uring path: the seam at which tests make the kernel fail. Each returns what the kernel
 * returns, or −errno.
 */
export interface Kernel {
  setup(entries: number, params: Address): number;
  enter(
    ring: number,
    toSubmit: number,
    minComplete: number,
    flags: number,
    argument: Address,
    size: number,
  ): number;
  register(ring: number, operation: number, argument: Address, count: number): number;
  /** Maps a ring's memory. The array is not valid after `unmap`. */
  map(descriptor: number, offset: number, length: number): Mapping | number;
  unmap(address: bigint, length: number): void;
  socket(family: number, type: number): number;
  bind(descriptor: number, address: Address, length: number): number;
  /** getsockname(2), into room of the length at `lengthAt`. */
  socketName(descriptor: number, address: Address, lengthAt: Address): number;
  connect(descriptor: number, address: Address, length: number): number;
  setOption(descriptor: number, level: number, option: number, value: number): number;
  close(descriptor: number): number;
  /** Where an ArrayBuffer lies: it does not move, and stays for as long as it is referenced. */
  addressOf(buffer: ArrayBufferLike): Address;
  /** The descriptor that becomes readable when this thread's event loop has something to do. */
  loopDescriptor(): number;
  /** Milliseconds until the event loop of this thread has something to do; −1: it waits for descriptors only. */
  loopTimeoutMs(): number;
}

export interface Mapping {
  readonly address: bigint;
  readonly bytes: ArrayBuffer;
}

type Koffi = typeof import("koffi");

/** @returns the package, or undefined where it is not installed: it is optional */
export function loadKoffi(): Koffi | undefined {
  try {
    return createRequire(import.meta.url)("koffi") as Koffi;
  } catch {
    return undefined;
  }
}

/** @returns the kernel's door, or why there is none */
export function openKernel(): Kernel | string {
  if (process.platform !== "linux") return `${process.platform} has no io_uring`;
  if (endianness() !== "LE" || !["x64", "arm64", "riscv64"].includes(process.arch)) {
    return `not made for ${process.arch}`;
  }
  const koffi = loadKoffi();
  if (koffi === undefined) return "the package koffi is not installed";
  try {
    return bindKernel(koffi);
  } catch (error) {
    return `libc or the event loop cannot be called: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function bindKernel(koffi: Koffi): Kernel {
  const libc = koffi.load("libc.so.6");
  const self = koffi.load(null);
  const setup = libc.func("long syscall(long number, uint entries, uintptr_t params)");
  const enter = libc.func(
    "long syscall(long number, uint fd, uint submit, uint complete, uint flags, uintptr_t arg, size_t size)",
  );
  const register = libc.func("long syscall(long number, uint fd, uint op, uintptr_t arg, uint count)");
  const mmap = libc.func(
    "intptr_t mmap(uintptr_t at, size_t length, int prot, int flags, int fd, size_t offset)",
  );
  const munmap = libc.func("int munmap(uintptr_t at, size_t length)");
  const socket = libc.func("int socket(int family, int type, int protocol)");
  const bind = libc.func("int bind(int fd, uintptr_t address, uint length)");
  const getsockname = libc.func("int getsockname(int fd, uintptr_t address, uintptr_t length)");
  const connect = libc.func("int connect(int fd, uintptr_t address, uint length)");
  const setsockopt = libc.func("int setsockopt(int fd, int level, int option, uintptr_t value, uint length)");
  const close = libc.func("int close(int fd)");
  const loop = eventLoop(koffi, self);
  const backendFd = self.func("int uv_backend_fd(uintptr_t loop)");
  const backendTimeout = self.func("int uv_backend_timeout(uintptr_t loop)");
  const checked = (result: number): number => (result < 0 ? -koffi.errno() : result);
  const addressOf = (buffer: ArrayBufferLike): Address => Number(koffi.address(buffer));
  const option = new Int32Array(1);
  const optionAt = addressOf(option.buffer);
  return {
    setup: (entries, params) => checked(setup(SYS_IO_URING_SETUP, entries, params)),
    enter: (ring, toSubmit, minComplete, flags, argument, size) => {
      const result = enter(SYS_IO_URING_ENTER, ring, toSubmit, minComplete, flags, argument, size);
      return result < 0 ? -koffi.errno() : result;
    },
    register: (ring, operation, argument, count) =>
      checked(register(SYS_IO_URING_REGISTER, ring, operation, argument, count)),
    map(descriptor, offset, length) {
      const at = mmap(0, length, PROT_READ_WRITE, MAP_SHARED_POPULATE, descriptor, offset);
      if (Number(at) === -1) return -koffi.errno();
      const address = BigInt(at);
      return { address, bytes: koffi.view(address, length) };
    },
    unmap: (address, length) => {
      munmap(address, length);
    },
    socket: (family, type) => checked(socket(family, type, 0)),
    bind: (descriptor, address, length) => checked(bind(descriptor, address, length)),
    socketName: (descriptor, address, lengthAt) => checked(getsockname(descriptor, address, lengthAt)),
    connect: (descriptor, address, length) => checked(connect(descriptor, address, length)),
    setOption: (descriptor, level, name, value) => {
      option[0] = value;
      return checked(setsockopt(descriptor, level, name, optionAt, 4));
    },
    close: (descriptor) => checked(close(descriptor)),
    addressOf,
    loopDescriptor: () => backendFd(loop),
    loopTimeoutMs: () => backendTimeout(loop),
  };
}

/** This thread's uv_loop_t. */
function eventLoop(koffi: Koffi, self: ReturnType<Koffi["load"]>): bigint {
  const ask = self.func("int napi_get_uv_event_loop(void *env, _Out_ void **loop)");
  const loop: (bigint | null)[] = [null];
  const status: number = ask(koffi.node.env, loop);
  if (status !== 0 || loop[0] === null || loop[0] === undefined) throw new Error("no event loop");
  return loop[0];
}
