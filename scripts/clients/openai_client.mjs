// Asks a Redline server as the npm package `openai` does: openai_client.mjs BASE_URL. The upstream server is the one of
// tests/integration/serve, whose models behave by their names.
import assert from "node:assert/strict";
import OpenAI from "openai";

const FLAWED = "You are a complete fool. The capital of France is Paris.";
const CLEAN = "The capital of France is Paris.";
const client = new OpenAI({ baseURL: process.argv[2], apiKey: "clients-own", maxRetries: 0 });
const messages = [{ role: "user", content: "What is the capital of France?" }];
const ask = (model, more = {}) => client.chat.completions.create({ model, user: FLAWED, messages, ...more });

const reply = await ask("ok", { steering: { coefficient: 0.5 } });
assert(reply.choices[0].message.content.includes(CLEAN));
assert.equal(reply.choices[0].redline.answer, FLAWED);
assert.equal(reply.choices[0].redline.coefficient, 0.5);

let [text, last] = ["", null];
for await (const chunk of await ask("ok", { stream: true })) {
  text += chunk.choices[0]?.delta?.content ?? "";
  if (chunk.choices[0]?.finish_reason) last = chunk.choices[0];
}
assert(text.includes(CLEAN));
assert.equal(last.redline.status, "corrected");

const kinds = {
  refuse: OpenAI.BadRequestError,
  "no-key": OpenAI.AuthenticationError,
  missing: OpenAI.NotFoundError,
  busy: OpenAI.RateLimitError,
  broken: OpenAI.InternalServerError,
  garbage: OpenAI.InternalServerError,
};
for (const [model, kind] of Object.entries(kinds)) {
  for (const stream of [false, true]) {
    await assert.rejects(ask(model, { stream }), (error) => error instanceof kind && error.message.length > 5);
  }
}
await assert.rejects(ask("ok", { steering: { vector: "nobody" } }), (error) => error.param === "steering.vector");
const models = [];
for await (const model of client.models.list()) models.push(model.id);
assert.deepEqual(models, ["ok"]);
console.log("openai (npm): fine");
