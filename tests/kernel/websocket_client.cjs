// The client's side of recorded sessions, by Node's `ws`: as websocket_client.py, and told in the same words.
"use strict";
const fs = require("node:fs");
const readline = require("node:readline");
const tls = require("node:tls");
const WebSocket = require("ws");

const port = Number(process.argv[2]);

function play(path, compression) {
  const golden = JSON.parse(fs.readFileSync(path, "utf-8"));
  const steps = golden.messages;
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(golden.url.replace("ws://", "wss://"), {
      perMessageDeflate: compression !== "none",
      createConnection: () => tls.connect({ host: "127.0.0.1", port, rejectUnauthorized: false }),
    });
    let at = 0;
    const say = () => {
      for (; at < steps.length && steps[at][0] === "sent"; at++) socket.send(JSON.stringify(steps[at][1]));
    };
    socket.on("open", say);
    socket.on("message", (data) => {
      const said = JSON.stringify(JSON.parse(data.toString()));
      if (said !== JSON.stringify(steps[at][1])) reject(new Error(`${path}: another message`));
      at++;
      say();
    });
    socket.on("close", () => (at === steps.length ? resolve() : reject(new Error(`${path}: ended at ${at}`))));
    socket.on("error", reject);
  });
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [, compression, ...paths] = line.split(" ");
    for (const path of paths) await play(path, compression);
    console.log(`ok ${process.pid}`);
  }
})();
