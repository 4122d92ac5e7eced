// Asks a model over plain HTTP, with fetch and with node:http: plain_client.mjs URL BODY TIMES.
import http from "node:http";

const [url, body, times] = process.argv.slice(2);
const headers = { "content-type": "application/json" };
const agent = new http.Agent({ keepAlive: true });

for (let at = 0; at < Number(times); at++) {
  if (at % 2) {
    await (await fetch(url, { method: "POST", headers, body })).text();
    continue;
  }
  await new Promise((done, failed) => {
    const request = http.request(url, { method: "POST", headers, agent }, (answer) => {
      answer.on("end", done);
      answer.resume();
    });
    request.on("error", failed);
    request.end(body);
  });
}
process.exit(0);
