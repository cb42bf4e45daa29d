// Lists and loads a thread with LangGraph's own PostgresSaver, and rebuilds its messages with LangGraph's own delta channel.
// node load.mjs URL SCHEMA THREAD
import { MessagesDeltaValue, StateGraph, StateSchema } from "@langchain/langgraph";
import { PostgresSaver } from "@langchain/langgraph-checkpoint-postgres";

const [url, schema, thread_id] = process.argv.slice(2);
const saver = PostgresSaver.fromConnString(url, { schema });
await saver.setup(); // finds its migrations applied
const config = { configurable: { thread_id } };
const listed = [];
for await (const tuple of saver.list({ configurable: { thread_id, checkpoint_ns: "" } })) {
  listed.push(tuple.checkpoint.id);
}
const newest = await saver.getTuple({ configurable: { thread_id, checkpoint_ns: "" } });
const graph = new StateGraph(new StateSchema({ messages: MessagesDeltaValue }))
  .addNode("model", () => ({}))
  .addEdge("__start__", "model")
  .compile({ checkpointer: saver });
const text = (message) => [message.getType(), message.id, message.content, message.tool_calls?.length ?? 0];
const history = [];
for await (const state of graph.getStateHistory(config)) {
  history.push((state.values.messages ?? []).length);
}
const state = await graph.getState(config);
console.log(JSON.stringify({
  listed,
  source: newest.metadata.source,
  step: newest.metadata.step,
  channels: Object.keys(newest.checkpoint.channel_values),
  messages: state.values.messages.map(text),
  history,
}));
await saver.end();
