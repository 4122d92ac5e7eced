// The Node client: as client.c, with node:https.  Usage: client.mjs PORT ANSWER CONNECTIONS CALLS RATE
import https from 'node:https';
import readline from 'node:readline';

const [port, answer, connections, calls, rate] = process.argv.slice(2).map((word, at) => (at === 1 ? word : Number(word)));
const body = JSON.stringify({ model: 'gpt-4o-mini', stream: true, messages: [{ role: 'user', content: 'hello' }] });
const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
let next = 0;
let began = 0;
let failed = 0;

const agents = Array.from({ length: connections }, () => new https.Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false }));

function call(agent) {
  return new Promise((resolve, reject) => {
    const headers = { host: 'api.openai.com', 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const request = https.request({ host: '127.0.0.1', port, path: `/v1/chat/completions?${answer}`, method: 'POST', headers, agent }, (response) => {
      response.on('data', () => {});
      response.on('end', resolve);
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

async function work(agent) {
  while (next < calls) {
    const number = next++;
    if (rate) {
      const wait = began + (number * 1000) / rate - performance.now();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    }
    await call(agent).catch(() => { failed++; });
  }
}

console.log('ready');
await lines.next();
const before = process.cpuUsage();
began = performance.now();
await Promise.all(agents.map(work));
const cpu = process.cpuUsage(before);
console.log(JSON.stringify({ calls, failed_connections: failed, wall_s: (performance.now() - began) / 1000, cpu_s: (cpu.user + cpu.system) / 1e6 }));
await lines.next();
agents.forEach((agent) => agent.destroy());
process.exit(0);
