// What the clients in JavaScript share, as harness.py does for those in Python: cases by name, run once a case with the addresses
// of both servers in the environment. Exit codes: 0 fine, 1 a failure; the last line on stdout says why.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

// the file lies beside this one, or where the driver has copied both
export const EXPECTED = JSON.parse(readFileSync(new URL("./expectations.json", import.meta.url)));
export const { question: QUESTION, texts: TEXTS, clean: CLEAN, insult: INSULT, instance: INSTANCE, tool: TOOL } = EXPECTED;
export const FLAWED = TEXTS.flawed;
export const KEY = "clients-own-key";
export const BASE = `${process.env.REDLINE_URL}/v1`;
export const REAL_MODEL = process.env.REAL_MODEL || "";
export const MESSAGES = [{ role: "user", content: QUESTION }];

export async function correctionOf(answer) {
  const headers = { "Content-Type": "application/json", Authorization: `Bearer ${KEY}` };
  const body = JSON.stringify({ question: QUESTION, answer });
  const reply = await fetch(`${BASE}/correct`, { method: "POST", headers, body });
  assert.equal(reply.status, 200, "/v1/correct");
  return (await reply.json()).correction;
}

export async function checkCorrected(text, answer = FLAWED) {
  const wanted = await correctionOf(answer);
  assert.notEqual(wanted, answer, "the Aligner changes nothing here: this check would say nothing");
  assert.equal(text, wanted);
}

export function checkInstance(said) {
  const value = typeof said === "string" ? JSON.parse(said) : said;
  assert.deepEqual(Object.keys(value), Object.keys(INSTANCE));
  assert.equal(value.population, INSTANCE.population);
  assert(typeof value.reasoning === "string" && typeof value.city === "string" && value.city, JSON.stringify(value));
  assert.equal(value.sights.length, INSTANCE.sights.length);
}

export async function main(cases) {
  const wanted = process.argv[2];
  if (wanted === "--list") {
    for (const name of Object.keys(cases)) assert(name in EXPECTED.cases, `${name} is not in expectations.json`);
    return console.log(Object.keys(cases).join("\n"));
  }
  try {
    await cases[wanted]();
  } catch (error) {
    console.error(error);
    console.log(`FAIL: ${error.name}: ${String(error.message).replaceAll("\n", " ")}`);
    process.exit(1);
  }
  process.exit(0);
}
