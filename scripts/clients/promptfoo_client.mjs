// promptfoo: `promptfoo eval` with an openai:chat provider, another base URL and assertions on the corrected text.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { BASE, checkCorrected, checkInstance, EXPECTED, KEY, main, QUESTION, REAL_MODEL, TOOL } from "./harness.mjs";

const program = fileURLToPath(new URL("./node_modules/promptfoo/dist/src/entrypoint.js", import.meta.url));

// one prompt for one provider; the row of the results
function evaluate(provider, config = {}, asserts = []) {
  const folder = mkdtempSync(join(tmpdir(), "promptfoo-"));
  try {
    const out = join(folder, "out.json");
    const suite = {
      prompts: ["{{question}}"],
      providers: [{ id: provider, config: { apiBaseUrl: BASE, apiKey: KEY, maxRetries: 0, ...config } }],
      tests: [{ vars: { question: QUESTION }, assert: asserts }],
    };
    writeFileSync(join(folder, "suite.json"), JSON.stringify(suite));
    const env = {
      ...process.env, PROMPTFOO_CONFIG_DIR: folder, PROMPTFOO_DISABLE_TELEMETRY: "1", PROMPTFOO_DISABLE_UPDATE: "1",
      PROMPTFOO_DISABLE_REMOTE_GENERATION: "1", PROMPTFOO_SELF_HOSTED: "1",
    };
    const command = [program, "eval", "-c", join(folder, "suite.json"), "-o", out, "--no-cache", "--no-write", "--no-table", "--no-share"];
    const done = spawnSync(process.execPath, command, { cwd: folder, env, encoding: "utf8", timeout: 150_000 });
    let results;
    try {
      results = JSON.parse(readFileSync(out)).results.results;
    } catch (error) {
      throw new Error(`no results: ${(done.stdout + done.stderr).slice(-1500)}`);
    }
    return results[0];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await main({
  eval: async () => {
    const row = evaluate("openai:chat:plain", {}, [
      { type: "contains", value: EXPECTED.clean },
      { type: "not-contains", value: EXPECTED.insult },
    ]);
    assert(row.success, JSON.stringify(row.gradingResult ?? row.error));
    await checkCorrected(row.response.output);
  },
  structured: async () => {
    const response_format = { type: "json_schema", json_schema: { name: "answer", strict: true, schema: EXPECTED.schema } };
    checkInstance(evaluate("openai:chat:json", { response_format }).response.output);
  },
  "tools-text": async () => {
    const { output } = evaluate("openai:chat:text-and-calls", { tools: [{ type: "function", function: TOOL }] }).response;
    assert(JSON.stringify(output).includes(TOOL.name) && !JSON.stringify(output).includes(EXPECTED.insult), JSON.stringify(output));
  },
  "error-in-200": async () => {
    const row = evaluate("openai:chat:error-200-404");
    assert(String(row.error).includes("No endpoints found"), String(row.error));
  },
  completions: async () => checkCorrected(evaluate("openai:completion:plain").response.output),
  responses: async () => checkCorrected(evaluate("openai:responses:plain").response.output),
  "real-chat": async () => {
    const row = evaluate(`openai:chat:${REAL_MODEL}`, { max_tokens: 48, temperature: 0 });
    assert(row.response?.output, JSON.stringify(row.error));
  },
});
