using System.Text.Json;

namespace AgentExecutor.Core.Messages;

/// <summary>A tool call that a model requests. <see cref="Id"/> pairs it with the tool message that answers it.</summary>
/// <param name="Id">Unique within the conversation.</param>
/// <param name="Name">The tool's name as the model wrote it. There may be no such tool.</param>
/// <param name="Arguments">A JSON object. If the model sent malformed JSON, a JSON string with the text that it sent.</param>
public sealed record ToolCall(string Id, string Name, JsonElement Arguments);
