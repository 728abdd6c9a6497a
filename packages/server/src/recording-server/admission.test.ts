import assert from "node:assert/strict";
import { test } from "node:test";
import { SipHeaders } from "@callfork/protocol/sip";
import { isRecordingSession, marksMissing, recordingMarks } from "./admission.ts";

function marks(contact: string, require?: string) {
  const headers = new SipHeaders([["Contact", contact]]);
  if (require !== undefined) headers.append("Require", require);
  return recordingMarks({ request: { headers }, body: [] });
}

test("the feature tag is found as a parameter of the Contact header field", () => {
  for (const contact of [
    "<sip:src@192.0.2.1>;+sip.src",
    "sip:src@192.0.2.1;+sip.src",
    '"SBC" <sip:src@192.0.2.1;transport=tcp>;expires=3600;+SIP.SRC="TRUE"',
  ]) {
    assert.equal(marks(contact).sourceTag, "header", contact);
  }
});

test("[V-16] the feature tag is found inside the brackets, and in a Contact whose bracket is never closed", () => {
  for (const contact of ["<sip:src@192.0.2.1;+sip.src>", "<sip:src@192.0.2.1;transport=tcp;+sip.src"]) {
    const found = marks(contact, "siprec");
    assert.equal(found.sourceTag, "uri", contact);
    assert.equal(isRecordingSession(found, true), false);
    assert.equal(isRecordingSession(found, false), true);
    assert.deepEqual(
      marksMissing(found).map(([code]) => code),
      ["SIP_SRC_MISPLACED"],
    );
  }
});

test("what only looks like the tag is none", () => {
  for (const contact of [
    "<sip:src@192.0.2.1>",
    '<sip:src@192.0.2.1>;+sip.src="FALSE"',
    "<sip:src@192.0.2.1>;+sip.srs",
    "<sip:src@192.0.2.1;+sip.srcx",
    "*",
    "",
  ]) {
    const found = marks(contact);
    assert.equal(found.sourceTag, "none", contact);
    assert.equal(isRecordingSession(found, false), false);
  }
});

test("siprec is one token of Require among others", () => {
  assert.equal(marks("<sip:a@b.example>", "100rel, SIPREC").siprecRequired, true);
  assert.equal(marks("<sip:a@b.example>", "siprecord").siprecRequired, false);
});
