// OpenAI's Node SDK: openai_node.cjs ROUNDS STEP...
const OpenAI = require("openai");

const client = new OpenAI();
const messages = [{ role: "user", content: "Suggest three presents for a gardener." }];
const tell = (model, usage) => console.log(JSON.stringify({ model, usage: usage ?? null }));

const STEPS = {
  async chat() {
    const answer = await client.chat.completions.create({ model: "gpt-4o-mini", messages });
    tell(answer.model, answer.usage);
  },
  async stream() {
    const chunks = await client.chat.completions.create({
      model: "gpt-4.1", messages, stream: true, stream_options: { include_usage: true },
    });
    let usage, model;
    for await (const chunk of chunks) {
      usage = chunk.usage ?? usage;
      model = chunk.model;
    }
    tell(model, usage);
  },
  async responses() {
    const answer = await client.responses.create({ model: "gpt-5-mini", input: "Suggest a present." });
    tell(answer.model, answer.usage);
  },
  async responses_stream() {
    const events = await client.responses.create({ model: "gpt-5-mini", input: "Suggest a present.", stream: true });
    for await (const event of events) {
      if (event.type === "response.completed") tell(event.response.model, event.response.usage);
    }
  },
  async embeddings() {
    // Some 100 kB of answer: more than one TLS record, and than one block of a content coding.
    const input = Array(12).fill("spade");
    const answer = await client.embeddings.create({ model: "text-embedding-3-small", input });
    tell(answer.model, answer.usage);
  },
  // Several at once, on connections of their own.
  async parallel() {
    await Promise.all([STEPS.chat(), STEPS.stream(), STEPS.responses()]);
  },
};

(async () => {
  const [rounds, ...steps] = process.argv.slice(2);
  for (let round = 0; round < Number(rounds); round++) {
    for (const step of steps) await STEPS[step]();
  }
})();
