// A model server of somebody else's making, for both wires. Prints its URL, and serves until it is ended.
import { LLMock } from "@copilotkit/aimock";

const mock = new LLMock({ port: 0, chunkSize: 5 });
mock.addFixtures([
  { match: { userMessage: "overflow" }, response: { error: { message: "prompt is too long: 210000 tokens > 200000 maximum", type: "invalid_request_error" }, status: 400 } },
  { match: { userMessage: "files", hasToolResult: false }, response: { toolCalls: [{ name: "ls", arguments: '{"path": "/"}' }, { name: "write_todos", arguments: '{"todos": []}' }] } },
  { match: { userMessage: "files", hasToolResult: true }, response: { content: "There are no files.", reasoning: "Let me think." } },
]);
await mock.start();
console.log(mock.url);
