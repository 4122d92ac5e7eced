// The contract of ../README.md: client.mjs HOW, one of the functions below.
import readline from "node:readline";

const KEY = process.env.OPENAI_API_KEY;
const HOST = "https://api.openai.com";
const URL_ = `${HOST}/v1/chat/completions`;
const CONTENT = "hello";
const MESSAGES = [{ role: "user", content: CONTENT }];
const STREAMED = { stream: true, stream_options: { include_usage: true } };
const wanted = (number) => ({ model: "gpt-4o-mini", messages: MESSAGES, ...(number % 2 ? STREAMED : {}) });
const HEADERS = { authorization: `Bearer ${KEY}`, "content-type": "application/json" };

const drain = async (stream) => {
  for await (const _ of stream);
};

// Each loads what it needs and gives the function that makes a call.
const CLIENTS = {
  async anthropic() {
    const { default: Anthropic } = await import("@anthropic-ai/sdk");
    const client = new Anthropic();
    return async (number) => {
      const asked = { model: "claude-haiku-4-5", max_tokens: 99, messages: MESSAGES };
      if (number % 2) await client.messages.stream(asked).finalMessage();
      else await client.messages.create(asked);
    };
  },
  async genai() {
    const { GoogleGenAI } = await import("@google/genai");
    const client = new GoogleGenAI({ apiKey: KEY });
    return async (number) => {
      const asked = { model: "gemini-2.5-flash", contents: CONTENT };
      if (number % 2) await drain(await client.models.generateContentStream(asked));
      else await client.models.generateContent(asked);
    };
  },
  async "ai-sdk"() {
    const { generateText, streamText } = await import("ai");
    const { openai } = await import("@ai-sdk/openai");
    const model = openai.chat("gpt-4o-mini");
    return async (number) => {
      if (number % 2) await drain(streamText({ model, prompt: CONTENT }).textStream);
      else await generateText({ model, prompt: CONTENT });
    };
  },
  async langchain() {
    const { ChatOpenAI } = await import("@langchain/openai");
    const model = new ChatOpenAI({ model: "gpt-4o-mini" });
    return async (number) => {
      if (number % 2) await drain(await model.stream(CONTENT));
      else await model.invoke(CONTENT);
    };
  },
  async undici(allowH2 = false) {
    const { Pool } = await import("undici");
    const pool = new Pool(HOST, { allowH2 });
    return async (number) => {
      const asked = { path: "/v1/chat/completions", method: "POST", headers: HEADERS, body: JSON.stringify(wanted(number)) };
      const answer = await pool.request(asked);
      if (answer.statusCode !== 200) throw new Error(`status ${answer.statusCode}`);
      await answer.body.text();
    };
  },
  "undici-h2": () => CLIENTS.undici(true),
  async axios() {
    const { default: axios } = await import("axios");
    return async (number) => {
      const answer = await axios.post(URL_, wanted(number), { headers: HEADERS, responseType: number % 2 ? "stream" : "json" });
      if (number % 2) await drain(answer.data);
    };
  },
  async got() {
    const { default: got } = await import("got");
    return async (number) => {
      if (number % 2) await drain(got.stream.post(URL_, { headers: HEADERS, json: wanted(number) }));
      else await got.post(URL_, { headers: HEADERS, json: wanted(number) }).json();
    };
  },
};

const call = await CLIENTS[process.argv[2]]();
console.log("ready");
const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const calls = Number((await lines.next()).value);
for (let number = 0; number < calls; number++) await call(number);
console.log("done");
await lines.next();
process.exit(0);
