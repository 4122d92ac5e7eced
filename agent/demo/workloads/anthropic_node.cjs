// Anthropic's Node SDK: anthropic_node.cjs ROUNDS STEP...
const Anthropic = require("@anthropic-ai/sdk");

const client = new Anthropic();
const messages = [{ role: "user", content: "Write a line of praise for a raincoat." }];
const tell = (message) => console.log(JSON.stringify({ model: message.model, usage: message.usage }));

const STEPS = {
  async messages() {
    tell(await client.messages.create({ model: "claude-sonnet-4-6", max_tokens: 500, messages }));
  },
  async stream() {
    const events = client.messages.stream({ model: "claude-haiku-4-5", max_tokens: 500, messages });
    tell(await events.finalMessage());
  },
};

(async () => {
  const [rounds, ...steps] = process.argv.slice(2);
  for (let round = 0; round < Number(rounds); round++) {
    for (const step of steps) await STEPS[step]();
  }
})();
