/*
 * The part of the kernel's interface that io_uring packets need: numbers and layouts of include/uapi/linux/io_uring.h
 * (Linux 6.1 and later). Integers are little-endian here: the probe refuses machines that are not.
 */

/** System calls; the same numbers on all architectures that io_uring came to (asm-generic/unistd.h). */
export const SYS_IO_URING_SETUP = 425;
export const SYS_IO_URING_ENTER = 426;
export const SYS_IO_URING_REGISTER = 427;

/** struct io_uring_params: 120 octets. */
export const PARAMS = {
  bytes: 120,
  sqEntries: 0,
  cqEntries: 4,
  flags: 8,
  features: 20,
  /** struct io_sqring_offsets */
  sq: { head: 40, tail: 44, mask: 48, flags: 56, dropped: 60, array: 64 },
  /** struct io_cqring_offsets */
  cq: { head: 80, tail: 84, mask: 88, overflow: 96, cqes: 100 },
} as const;

export const SETUP_CQSIZE = 1 << 3;
/** One entry that fails does not stop those behind it. */
export const SETUP_SUBMIT_ALL = 1 << 7;
/** Only this thread submits: the kernel needs no lock. */
export const SETUP_SINGLE_ISSUER = 1 << 12;
/** What packets cause is done when this thread waits for it, not by interrupting it. */
export const SETUP_DEFER_TASKRUN = 1 << 13;

export const FEAT_SINGLE_MMAP = 1 << 0;
export const FEAT_NODROP = 1 << 1;
export const FEAT_EXT_ARG = 1 << 8;
/** Linux 6.12: waiting for company has a time-out of its own. */
export const FEAT_MIN_TIMEOUT = 1 << 15;

export const OFFSET_SQ_RING = 0;
export const OFFSET_SQES = 0x10000000;

/** struct io_uring_sqe: 64 octets. */
export const SQE_BYTES = 64;
/** struct io_uring_cqe: user_data (64 bits), res (signed 32), flags (32). */
export const CQE_BYTES = 16;

export const OP_POLL_ADD = 6;
export const OP_SENDMSG = 9;
export const OP_RECVMSG = 10;
export const OP_ASYNC_CANCEL = 14;
export const OP_SEND = 26;

export const SQE_FIXED_FILE = 1 << 0;
export const SQE_BUFFER_SELECT = 1 << 5;
/** No completion when all went well. */
export const SQE_CQE_SKIP_SUCCESS = 1 << 6;

/** In `ioprio` of a receive: one entry goes on until something ends it. */
export const RECV_MULTISHOT = 1 << 1;

export const CQE_F_BUFFER = 1 << 0;
/** The entry that this came from goes on. */
export const CQE_F_MORE = 1 << 1;
export const CQE_BUFFER_SHIFT = 16;

/** In the submission ring's flags: completions wait in the kernel because there was no room. */
export const SQ_CQ_OVERFLOW = 1 << 1;

export const ENTER_GETEVENTS = 1 << 0;
export const ENTER_EXT_ARG = 1 << 3;
/** struct io_uring_getevents_arg: sigmask (64), its size (32), min_wait_usec (32), pointer to a timespec (64). */
export const GETEVENTS_ARG_BYTES = 24;

export const REGISTER_FILES2 = 13;
export const RSRC_REGISTER_SPARSE = 1 << 0;
export const REGISTER_PBUF_RING = 22;
/** struct io_uring_buf: address (64), length (32), number (16), reserved (16); the ring's tail lies in the first one's reserved field. */
export const BUF_BYTES = 16;
export const BUF_RING_TAIL = 14;

/** struct io_uring_recvmsg_out before name, control and payload: namelen, controllen, payloadlen, flags. */
export const RECVMSG_OUT_BYTES = 16;
/** struct msghdr on 64-bit machines: name, namelen, iov, iovlen, control, controllen, flags. */
export const MSGHDR_BYTES = 56;

export const AF_UNSPEC = 0;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const SOCK_DGRAM = 2;
export const SOCK_CLOEXEC = 0o2000000;
export const SOL_SOCKET = 1;
export const SO_RCVBUF = 8;
export const IPPROTO_IPV6 = 41;
export const IPV6_V6ONLY = 26;
export const SOL_UDP = 17;
/** Generic segmentation offload (linux/udp.h): one send becomes datagrams of this size. */
export const UDP_SEGMENT = 103;
export const MSG_TRUNC = 0x20;
export const MSG_DONTWAIT = 0x40;
export const MSG_NOSIGNAL = 0x4000;
export const POLLIN = 1;

export const PROT_READ_WRITE = 3;
/** MAP_SHARED | MAP_POPULATE */
export const MAP_SHARED_POPULATE = 0x8001;

export const EINTR = 4;
export const EBADF = 9;
export const EAGAIN = 11;
export const ENOMEM = 12;
export const EBUSY = 16;
export const EINVAL = 22;
export const ENFILE = 23;
export const EMFILE = 24;
export const ETIME = 62;
export const ENOBUFS = 105;
export const ECONNREFUSED = 111;
export const ECANCELED = 125;
