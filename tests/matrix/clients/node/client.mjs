// The contract of ../README.md: client.mjs fetch|https|http2|openai.  Also for Deno and Bun, which have the same modules.
import { createRequire } from "node:module";
import http2 from "node:http2";
import https from "node:https";
import readline from "node:readline";

const KEY = process.env.OPENAI_API_KEY;
const URL_ = "https://api.openai.com/v1/chat/completions";
const MESSAGES = [{ role: "user", content: "hello" }];
const STREAMED = { stream: true, stream_options: { include_usage: true } };
const body = (number) => JSON.stringify({ model: "gpt-4o-mini", messages: MESSAGES, ...(number % 2 ? STREAMED : {}) });
const HEADERS = { authorization: `Bearer ${KEY}`, "content-type": "application/json" };

const CALLS = {
  async fetch(number) {
    const answer = await fetch(URL_, { method: "POST", headers: HEADERS, body: body(number) });
    if (answer.status !== 200) throw new Error(`status ${answer.status}`);
    await answer.text();
  },
  https: (number) =>
    new Promise((resolve, reject) => {
      const request = https.request(URL_, { method: "POST", headers: HEADERS, agent: AGENT }, (answer) => {
        answer.on("data", () => {}).on("end", resolve).on("error", reject);
      });
      request.on("error", reject).end(body(number));
    }),
  http2: (number) =>
    new Promise((resolve, reject) => {
      SESSION ??= http2.connect("https://api.openai.com").on("error", reject);
      const stream = SESSION.request({ ":method": "POST", ":path": "/v1/chat/completions", ...HEADERS });
      stream.on("data", () => {}).on("end", resolve).on("error", reject).end(body(number));
    }),
  async openai(number) {
    CLIENT ??= new (createRequire(process.env.NODE_PATH + "/")("openai"))();
    const answer = await CLIENT.chat.completions.create(JSON.parse(body(number)));
    if (number % 2) for await (const _ of answer);
  },
};
const AGENT = new https.Agent({ keepAlive: true });
let SESSION, CLIENT;

console.log("ready");
const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const calls = Number((await lines.next()).value);
for (let number = 0; number < calls; number++) await CALLS[process.argv[2]](number);
console.log("done");
await lines.next();
process.exit(0);
