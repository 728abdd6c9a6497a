import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { joinOpusPackets, OggOpusWriter, oggCrc, readOggPage } from "./index.ts";

const OPTIONS = { serialNumber: 0xfeed_beef, inputSampleRateHz: 8_000, preSkip: 312, vendor: "test" };

function pagesOf(octets: Uint8Array) {
  const pages = [];
  for (let at = 0; at < octets.length; ) {
    const page = readOggPage(octets, at);
    assert.ok(page, `a page at ${at}`);
    pages.push(page);
    at += page.length;
  }
  return pages;
}

const arbPacket = fc.uint8Array({ minLength: 1, maxLength: 1_200 });

test("[R3533-6-1] [R7845-3-1] every packet comes back from its page, pages are numbered, and only the first and the last are marked", () => {
  const property = fc.property(fc.array(arbPacket, { minLength: 1, maxLength: 120 }), (packets) => {
    const writer = new OggOpusWriter({ ...OPTIONS, channels: 1 });
    const parts = [writer.header()];
    for (const packet of packets) {
      const page = writer.packet(packet, 960);
      if (page !== undefined) parts.push(page);
    }
    parts.push(writer.finish(packets.length * 960 - 312));
    const pages = parts.flatMap((part) => pagesOf(part));
    assert.deepEqual(
      pages.map(({ sequence }) => sequence),
      pages.map((_, at) => at),
    );
    assert.deepEqual(
      pages.map(({ headerType }) => headerType),
      pages.map((_, at) => (at === 0 ? 2 : at === pages.length - 1 ? 4 : 0)),
    );
    assert.deepEqual(
      pages.slice(2).flatMap((page) => page.packets.map((packet) => packet.slice())),
      packets,
    );
    let samples = 0;
    for (const page of pages.slice(2)) {
      samples += page.packets.length * 960;
      assert.equal(page.granulePosition, samples);
      assert.ok(page.packets.length <= 50, "a page is a second at most");
    }
  });
  fc.assert(property, { numRuns: 60 });
});

test("[R7845-5.1-1] the identification says channels and how they are coded", () => {
  for (const [channels, family, length] of [
    [1, 0, 19],
    [2, 1, 23],
    [5, 255, 26],
  ] as const) {
    const [page] = pagesOf(new OggOpusWriter({ ...OPTIONS, channels }).header());
    const head = page!.packets[0]!;
    assert.equal(new TextDecoder().decode(head.subarray(0, 8)), "OpusHead");
    assert.deepEqual([head[8], head[9], head[18], head.length], [1, channels, family, length]);
    if (family !== 0) assert.deepEqual([...head.subarray(19)], [channels, 0, ...Array(channels).keys()]);
  }
});

test("[R7845-4.4-1] the last page tells where the audio ends", () => {
  const writer = new OggOpusWriter({ ...OPTIONS, channels: 1 });
  writer.packet(new Uint8Array(10), 960);
  const [last] = pagesOf(writer.finish(500));
  assert.equal(last!.granulePosition, 812);
});

test("[R6716-B-1] packets of several streams are joined, all but the last with their lengths in them", () => {
  const one = Uint8Array.of(0x08, 1, 2, 3);
  const two = Uint8Array.of(0x09, 1, 2, 3, 4);
  const vbr = Uint8Array.of(0x0a, 1, 7, 8, 9);
  const many = Uint8Array.of(0x0b, 0x82, 1, 5, 6, 7);
  const cbr = Uint8Array.of(0x0b, 0x02, 5, 6, 7, 8);
  const last = Uint8Array.of(0x08, 9);
  const join = (packet: Uint8Array) => [...joinOpusPackets([packet, last])!];
  assert.deepEqual(join(one), [0x08, 3, 1, 2, 3, 0x08, 9]);
  assert.deepEqual(join(two), [0x09, 2, 1, 2, 3, 4, 0x08, 9]);
  assert.deepEqual(join(vbr), [0x0a, 1, 2, 7, 8, 9, 0x08, 9]);
  assert.deepEqual(join(many), [0x0b, 0x82, 1, 2, 5, 6, 7, 0x08, 9]);
  assert.deepEqual(join(cbr), [0x0b, 0x02, 2, 5, 6, 7, 8, 0x08, 9]);
  const long = new Uint8Array(301).fill(7);
  long[0] = 0x08;
  assert.deepEqual(join(long).slice(0, 3), [0x08, 252, 12], "300 = 252 + 4 · 12");
  assert.equal(joinOpusPackets([Uint8Array.of(), last]), undefined);
  assert.equal(joinOpusPackets([Uint8Array.of(0x09, 1, 2, 3), last]), undefined, "two frames of 1.5 octets");
});

test("[R3533-6-2] a page that was changed in one place is none", () => {
  const header = new OggOpusWriter({ ...OPTIONS, channels: 1 }).header();
  const [page] = pagesOf(header);
  for (let at = 0; at < page!.length; at++) {
    const changed = header.slice();
    changed[at]! ^= 0x10;
    assert.equal(readOggPage(changed, 0), undefined, `octet ${at}`);
  }
  assert.equal(oggCrc(header.subarray(0, page!.length)), new DataView(header.buffer).getUint32(22, true));
});
