export { classifyMediaPacket, isRtcp, type MediaPacketKind } from "./demux.ts";
export { type RandomOctets, randomSsrc, randomUint16, randomUint32, shortTermCname } from "./identity.ts";
export {
  compactNtp,
  compactNtpFromMs,
  epochMsFromNtp,
  type NtpTime,
  ntpFromEpochMs,
  roundTripMs,
} from "./ntp.ts";
export {
  RTP_FIXED_HEADER_LENGTH,
  readUint16,
  readUint32,
  rewriteRtpHeader,
  rtpCsrc,
  rtpCsrcCount,
  rtpMarker,
  rtpPayloadEnd,
  rtpPayloadStart,
  rtpPayloadType,
  rtpSequenceNumber,
  rtpSsrc,
  rtpTimestamp,
  setRtpMarker,
  setRtpPayloadType,
  writeRtpHeader,
  writeUint16,
  writeUint32,
} from "./packet.ts";
export {
  isNextReceived,
  MIN_SEQUENTIAL,
  RECEPTION_CELLS,
  Reception,
  type ReceptionVerdict,
  receiveNext,
} from "./reception.ts";
export {
  type Goodbye,
  type OtherRtcp,
  type ReceiverReport,
  type ReportBlock,
  RTCP_APP,
  RTCP_BYE,
  RTCP_RR,
  RTCP_SDES,
  RTCP_SR,
  type RtcpPacket,
  SDES_CNAME,
  type SdesChunk,
  type SenderReport,
  type SourceDescription,
} from "./rtcp.ts";
export { formatRtcp } from "./rtcp-format.ts";
export {
  averageRtcpSize,
  deterministicRtcpIntervalMs,
  type RtcpIntervalInput,
  rtcpIntervalMs,
} from "./rtcp-interval.ts";
export {
  checkRtcp,
  parseRtcp,
  type RtcpError,
  type RtcpFault,
  type RtcpResult,
  rtcpPacketLength,
} from "./rtcp-parse.ts";
export { addToSequence, addToTimestamp, isNewerSequence, sequenceDelta, timestampDelta } from "./serial.ts";
export { STATIC_PAYLOAD_TYPES, type StaticPayloadType } from "./static-payload-types.ts";
export {
  type CompletedTelephoneEvent,
  dtmfKey,
  parseTelephoneEvent,
  TELEPHONE_EVENT_LENGTH,
  type TelephoneEvent,
  TelephoneEventReceiver,
} from "./telephone-event.ts";
