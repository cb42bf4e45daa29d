using System.Text.Json;

namespace AgentExecutor.Core.Messages;

/// <summary>A model's wish to call a tool. <see cref="Id"/> pairs it with the tool message that answers it.</summary>
/// <param name="Id">Unique within the conversation.</param>
/// <param name="Name">The tool's name, as the model said it: it may name no tool.</param>
/// <param name="Arguments">A JSON object; where the model sent malformed JSON, a JSON string with what it sent.</param>
public sealed record ToolCall(string Id, string Name, JsonElement Arguments);
