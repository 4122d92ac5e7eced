// HTTP/2 by Node's own `http2`: as http2_client.py, and told in the same words.
"use strict";
const http2 = require("node:http2");
const readline = require("node:readline");

const headers = {
  ":method": "POST",
  ":authority": "api.openai.com",
  ":path": "/v1/chat/completions",
  authorization: "Bearer sk-demo-http2",
  "content-type": "application/json",
};
let session;

function ask(number) {
  const asked = { model: "gpt-4o-mini", messages: [{ role: "user", content: "hi" }] };
  if (number % 2) Object.assign(asked, { stream: true, stream_options: { include_usage: true } });
  const stream = session.request(headers);
  stream.end(JSON.stringify(asked));
  return stream;
}

const ended = (stream) => new Promise((resolve, reject) => stream.resume().on("end", resolve).on("error", reject));
const words = {
  open: () =>
    new Promise((resolve, reject) => {
      session = http2.connect(`https://127.0.0.1:${process.argv[2]}`, { rejectUnauthorized: false });
      session.on("connect", resolve).on("error", reject);
    }),
  call: (count) => Promise.all([...Array(count).keys()].map((number) => ended(ask(number)))),
  reset: () =>
    new Promise((resolve) => {
      const stream = ask(1);
      stream.on("error", () => {}).on("close", resolve);
      stream.once("data", () => stream.close(http2.constants.NGHTTP2_CANCEL));
    }),
  close: () => new Promise((resolve) => session.close(resolve)),
};

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [word, count] = line.split(" ");
    await words[word](Number(count));
    console.log(`ok ${process.pid}`);
  }
})();
