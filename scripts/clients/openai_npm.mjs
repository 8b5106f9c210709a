// The npm package `openai`.
import assert from "node:assert/strict";
import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";
import {
  BASE, checkCorrected, checkInstance, CLEAN, correctionOf, FLAWED, INSULT, KEY, main, MESSAGES, QUESTION, REAL_MODEL, TEXTS, TOOL,
} from "./harness.mjs";

const client = new OpenAI({ baseURL: BASE, apiKey: KEY, maxRetries: 0, timeout: 60_000 });
const ask = (model, more = {}) => client.chat.completions.create({ model: REAL_MODEL || model, messages: MESSAGES, ...more });
const TOOLS = [{ type: "function", function: TOOL }];
const Answer = z.object({ reasoning: z.string(), city: z.string(), population: z.number().int(), sights: z.array(z.string()) });

async function streamed(model, more = {}) {
  const said = { text: "", calls: [], finish: null, redline: null };
  for await (const chunk of await ask(model, { stream: true, ...more })) {
    for (const choice of chunk.choices) {
      said.text += choice.delta?.content ?? "";
      for (const call of choice.delta?.tool_calls ?? []) {
        const own = (said.calls[call.index] ??= { id: call.id, name: call.function.name, arguments: "" });
        own.arguments += call.function.arguments ?? "";
      }
      if (choice.finish_reason) [said.finish, said.redline] = [choice.finish_reason, choice.redline];
    }
  }
  return said;
}

async function raises(call, kind, words) {
  await assert.rejects(call, (error) => {
    assert(error instanceof kind, `${error.name} ${error.status} ${error.message}, wanted ${kind.name}`);
    assert(error.message.includes(words), error.message);
    return true;
  });
}

function checkCalls(calls) {
  assert.equal(calls?.length, 1, JSON.stringify(calls));
  const call = calls[0].function ?? calls[0];
  assert.equal(call.name, TOOL.name);
  assert.deepEqual(JSON.parse(call.arguments), { city: "Paris" });
}

await main({
  chat: async () => {
    const choice = (await ask("plain")).choices[0];
    await checkCorrected(choice.message.content);
    assert.equal(choice.redline.status, "corrected");
    assert.equal(choice.redline.answer, FLAWED);
  },
  stream: async () => {
    const said = await streamed("plain");
    await checkCorrected(said.text);
    assert.equal(said.redline.status, "corrected");
    assert.equal(said.finish, "stop");
  },
  coefficient: async () => {
    const choice = (await ask("plain", { steering: { coefficient: 0.5 } })).choices[0];
    assert.equal(choice.redline.coefficient, 0.5);
    assert(choice.message.content.includes(CLEAN), choice.message.content);
  },
  "tools-text": async () => {
    const choice = (await ask("text-and-calls", { tools: TOOLS })).choices[0];
    assert.equal(choice.finish_reason, "tool_calls");
    checkCalls(choice.message.tool_calls);
    await checkCorrected(choice.message.content);
  },
  "tools-text-stream": async () => {
    const said = await streamed("text-and-calls", { tools: TOOLS });
    assert.equal(said.finish, "tool_calls");
    checkCalls(said.calls);
    await checkCorrected(said.text);
  },
  "tools-stream": async () => {
    const said = await streamed("calls", { tools: TOOLS });
    assert.equal(said.finish, "tool_calls");
    checkCalls(said.calls);
  },
  "tool-loop": async () => {
    const own = { ...TOOL, parse: JSON.parse, function: ({ city }) => `${city} is the capital.` };
    const runner = client.chat.completions.runTools({ model: "calls", messages: MESSAGES, tools: [{ type: "function", function: own }] });
    const text = await runner.finalContent();
    assert(text.includes(CLEAN) && !text.includes(INSULT), text);
  },
  structured: async () => {
    const response_format = zodResponseFormat(Answer, "answer");
    const reply = await client.chat.completions.parse({ model: "json", messages: MESSAGES, response_format });
    checkInstance(reply.choices[0].message.parsed);
  },
  "structured-stream": async () => {
    const response_format = zodResponseFormat(Answer, "answer");
    const stream = client.chat.completions.stream({ model: "json", messages: MESSAGES, response_format });
    checkInstance((await stream.finalChatCompletion()).choices[0].message.parsed);
  },
  choices: async () => {
    const wanted = [await correctionOf(FLAWED), await correctionOf(TEXTS.second)];
    const { choices } = await ask("two", { n: 2 });
    assert.deepEqual(choices.map((choice) => choice.message.content), wanted);
  },
  errors: async () => {
    const kinds = {
      refuse: [OpenAI.BadRequestError, "not allowed"],
      "no-key": [OpenAI.AuthenticationError, "Incorrect API key"],
      missing: [OpenAI.NotFoundError, "does not exist"],
      busy: [OpenAI.RateLimitError, "Rate limit reached"],
      broken: [OpenAI.InternalServerError, ""],
    };
    for (const [model, [kind, words]] of Object.entries(kinds)) {
      for (const stream of [false, true]) await raises(() => ask(model, { stream }), kind, words);
    }
  },
  "error-in-200": async () => {
    for (const stream of [false, true]) {
      await raises(() => ask("error-200-429", { stream }), OpenAI.RateLimitError, "quota is used up");
      await raises(() => ask("error-200-404", { stream }), OpenAI.NotFoundError, "No endpoints found");
    }
  },
  "steering-error": async () => {
    await assert.rejects(ask("plain", { steering: { vector: "nobody" } }), (error) => error.param === "steering.vector");
  },
  "request-id": async () => assert((await ask("plain"))._request_id, "no x-request-id"),
  responses: async () => {
    const reply = await client.responses.create({ model: "plain", input: QUESTION });
    await checkCorrected(reply.output_text);
  },
  "responses-stream": async () => {
    let text = "";
    const stream = client.responses.stream({ model: "plain", input: QUESTION });
    stream.on("response.output_text.delta", (event) => (text += event.delta));
    const final = await stream.finalResponse();
    await checkCorrected(text);
    await checkCorrected(final.output_text);
  },
  completions: async () => checkCorrected((await client.completions.create({ model: "plain", prompt: QUESTION })).choices[0].text),
  embeddings: async () => {
    const reply = await client.embeddings.create({ model: "embedder", input: ["Paris", "Lyon"] });
    assert.deepEqual(reply.data.map((one) => Array.from(one.embedding)), [[0.25, -0.5, 1], [0.25, -0.5, 1]]);
  },
  models: async () => {
    const names = [];
    for await (const model of client.models.list()) names.push(model.id);
    assert.deepEqual(names, ["plain", "json"]);
  },
  moderations: async () => {
    assert.equal((await client.moderations.create({ model: "moderator", input: FLAWED })).results[0].flagged, true);
  },
  files: async () => {
    const file = await OpenAI.toFile(Buffer.from([0, 255, 13, 10, 65]), "rows.jsonl");
    const { id } = await client.files.create({ file, purpose: "batch" });
    const back = Buffer.from(await (await client.files.content(id)).arrayBuffer());
    assert.deepEqual([...back], [0, 255, 13, 10, 65]);
  },
  "real-chat": async () => {
    const choice = (await ask("", { max_tokens: 48, temperature: 0 })).choices[0];
    assert.equal(choice.message.content, await correctionOf(choice.redline.answer));
  },
  "real-stream": async () => {
    const said = await streamed("", { max_tokens: 48, temperature: 0 });
    assert.equal(said.text, await correctionOf(said.redline.answer));
  },
});
