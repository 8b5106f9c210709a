// Vercel's AI SDK, by way of @ai-sdk/openai-compatible and @ai-sdk/openai (chat, and responses, which is its default).
import assert from "node:assert/strict";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import * as ai from "ai";
import { z } from "zod";
import { BASE, checkCorrected, checkInstance, CLEAN, INSULT, KEY, main, QUESTION, REAL_MODEL, TEXTS, TOOL } from "./harness.mjs";

const compatible = createOpenAICompatible({
  name: "redline", baseURL: BASE, apiKey: KEY, includeUsage: true, supportsStructuredOutputs: true,
});
const openai = createOpenAI({ baseURL: BASE, apiKey: KEY });
const chats = (name) => [compatible(REAL_MODEL || name), openai.chat(REAL_MODEL || name)];
const schema = z.object({ reasoning: z.string(), city: z.string(), population: z.number().int(), sights: z.array(z.string()) });
const asked = { prompt: QUESTION, maxRetries: 0 };
const tool = (more = {}) => ({
  [TOOL.name]: ai.tool({ description: TOOL.description, inputSchema: z.object({ city: z.string() }), ...more }),
});
const running = () => tool({ execute: async ({ city }) => `${city} is the capital.` });

// a stream to its end; what breaks it is thrown, which the package itself only reports
async function streamed(options) {
  let broken = null;
  const result = ai.streamText({ ...asked, ...options, onError: ({ error }) => (broken = error) });
  let text = "";
  for await (const piece of result.textStream) text += piece;
  if (broken) throw broken;
  return { text, calls: await result.toolCalls, finish: await result.finishReason, usage: await result.usage };
}

function checkCalls(calls) {
  assert.equal(calls.length, 1, JSON.stringify(calls));
  assert.equal(calls[0].toolName, TOOL.name);
  assert.deepEqual(calls[0].input, { city: "Paris" });
}

const object = async (model) => {
  if (ai.generateObject) return (await ai.generateObject({ model, schema, ...asked })).object;
  return (await ai.generateText({ model, output: ai.Output.object({ schema }), ...asked })).output;
};

async function streamedObject(model) {
  if (ai.streamObject) {
    const result = ai.streamObject({ model, schema, ...asked });
    for await (const _ of result.partialObjectStream);
    return result.object;
  }
  const result = ai.streamText({ model, output: ai.Output.object({ schema }), ...asked });
  for await (const _ of result.textStream);
  return result.output;
}

await main({
  chat: async () => {
    for (const model of chats("plain")) await checkCorrected((await ai.generateText({ model, ...asked })).text);
  },
  stream: async () => {
    for (const model of chats("plain")) {
      const said = await streamed({ model });
      await checkCorrected(said.text);
      assert.equal(said.finish, "stop");
      assert(said.usage.totalTokens > 0, JSON.stringify(said.usage));
    }
  },
  "tools-text": async () => {
    for (const model of chats("text-and-calls")) {
      const said = await ai.generateText({ model, tools: tool(), ...asked });
      checkCalls(said.toolCalls);
      await checkCorrected(said.text);
    }
  },
  "tools-stream": async () => {
    for (const model of chats("calls")) checkCalls((await streamed({ model, tools: tool() })).calls);
  },
  "tools-text-stream": async () => {
    for (const model of chats("text-and-calls")) {
      const said = await streamed({ model, tools: tool() });
      checkCalls(said.calls);
      await checkCorrected(said.text);
    }
  },
  "tool-loop": async () => {
    const stopWhen = (ai.stepCountIs ?? ai.isStepCount)(3);
    for (const model of chats("calls")) {
      const { text } = await ai.generateText({ model, tools: running(), stopWhen, ...asked });
      assert(text.includes(CLEAN) && !text.includes(INSULT), text);
    }
  },
  structured: async () => {
    for (const model of chats("json")) checkInstance(await object(model));
  },
  "structured-stream": async () => {
    for (const model of chats("json")) checkInstance(await streamedObject(model));
  },
  reasoning: async () => {
    const said = await ai.generateText({ model: compatible("reasoning"), ...asked });
    await checkCorrected(said.text);
    assert([undefined, TEXTS.reasoning].includes(said.reasoningText), said.reasoningText);
  },
  "error-in-200": async () => {
    for (const model of chats("error-200-429")) {
      for (const run of [() => ai.generateText({ model, ...asked }), () => streamed({ model })]) {
        await assert.rejects(run, (error) => {
          assert(ai.APICallError.isInstance(error), `${error.name}: ${error.message}`);
          assert.equal(error.statusCode, 429);
          assert(error.message.includes("quota is used up"), error.message);
          return true;
        });
      }
    }
  },
  responses: async () => checkCorrected((await ai.generateText({ model: openai("plain"), ...asked })).text),
  "responses-stream": async () => checkCorrected((await streamed({ model: openai("plain") })).text),
  "responses-tools-stream": async () => {
    const said = await streamed({ model: openai("text-and-calls"), tools: tool() });
    checkCalls(said.calls);
    await checkCorrected(said.text);
  },
  "responses-structured": async () => checkInstance(await object(openai("json"))),
  completions: async () => {
    await checkCorrected((await ai.generateText({ model: openai.completion("plain"), ...asked })).text);
  },
  embeddings: async () => {
    const { embeddings } = await ai.embedMany({ model: openai.embedding("embedder"), values: ["Paris", "Lyon"], maxRetries: 0 });
    assert.deepEqual(embeddings, [[0.25, -0.5, 1], [0.25, -0.5, 1]]);
  },
  "real-chat": async () => {
    for (const model of chats("")) {
      assert((await ai.generateText({ model, maxOutputTokens: 48, temperature: 0, ...asked })).text);
    }
  },
  "real-stream": async () => {
    for (const model of chats("")) assert((await streamed({ model, maxOutputTokens: 48, temperature: 0 })).text);
  },
});
