// The contract of ../README.md in gRPC, by @grpc/grpc-js on Node's own TLS and HTTP/2: client.mjs NODE_MODULES.  A message is its bytes.
import fs from "node:fs";
import { createRequire } from "node:module";
import readline from "node:readline";

const grpc = createRequire(process.argv[2] + "/")("@grpc/grpc-js");
const HOST = "us-central1-aiplatform.googleapis.com";
const SERVICE = "/google.cloud.aiplatform.v1.PredictionService/";
const MODEL = "projects/acme/locations/us-central1/publishers/google/models/gemini-2.5-flash";
// content: {role: "user", parts: {text: "hello"}}, model
const ASKED = Buffer.concat([
  Buffer.from("\x12\x0f\x0a\x04user\x12\x07\x0a\x05hello\x2a", "latin1"),
  Buffer.from([MODEL.length]),
  Buffer.from(MODEL),
]);
const asIs = (message) => message;
const said = new grpc.Metadata();
said.set("authorization", `Bearer ${process.env.OPENAI_API_KEY}`);
let client;

function call(number) {
  const roots = fs.readFileSync(process.env.SSL_CERT_FILE);
  client ??= new grpc.Client(`${HOST}:443`, grpc.credentials.createSsl(roots));
  return new Promise((resolve, reject) => {
    if (number % 2) {
      const stream = client.makeServerStreamRequest(SERVICE + "StreamGenerateContent", asIs, asIs, ASKED, said);
      stream.on("data", () => {}).on("end", resolve).on("error", reject);
    } else {
      const ended = (error) => (error ? reject(error) : resolve());
      client.makeUnaryRequest(SERVICE + "GenerateContent", asIs, asIs, ASKED, said, ended);
    }
  });
}

console.log("ready");
const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const calls = Number((await lines.next()).value);
for (let number = 0; number < calls; number++) await call(number);
console.log("done");
await lines.next();
process.exit(0);
