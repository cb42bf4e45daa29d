using System.Text.Json;
using System.Text.Json.Nodes;

namespace AgentExecutor.IntegrationTests.Servers;

/// <summary>The Chat Completions API of OpenAI.</summary>
internal sealed class OpenAIWire : IModelWire
{
    private static readonly string[] Fields =
    [
        "model",
        "messages",
        "stream",
        "stream_options",
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "tools",
        "tool_choice",
        "response_format",
        "reasoning_effort",
    ];
    private static readonly string[] Parts = ["text", "image_url", "input_audio", "file"];

    public ModelReply? Refuse(ModelCall call, string? key)
    {
        var given = call.Headers.GetValueOrDefault("Authorization") ?? "";
        return key is not null && given != $"Bearer {key}"
                ? ModelReply.Refuses(
                    401,
                    Error(
                        "invalid_request_error",
                        "invalid_api_key",
                        $"Incorrect API key provided: {given.Replace("Bearer ", "", StringComparison.Ordinal)}. Find yours at the site."
                    )
                )
            : EffortFault(call.Body, Model(call)) is (var param, var words)
                ? ModelReply.Refuses(400, Error("invalid_request_error", null, words, param))
            : Fault(call) is { } fault ? ModelReply.Refuses(400, Error("invalid_request_error", null, fault))
            : null;
    }

    public static string Error(string type, string? code, string message, string? param = null) =>
        new JsonObject
        {
            ["error"] = new JsonObject
            {
                ["message"] = message,
                ["type"] = type,
                ["param"] = param,
                ["code"] = code,
            },
        }.ToJsonString();

    /// <summary>
    /// Reasoning models refuse tools unless reasoning is off, and refuse any temperature. Older models do not support an effort. DeepSeek's
    /// models require their thinking in later requests.
    /// </summary>
    private static (string? Param, string Words)? EffortFault(JsonElement body, string model)
    {
        var effort = body.TryGetProperty("reasoning_effort", out var given) ? given.GetString() : null;
        if (model.StartsWith("gpt-4", StringComparison.Ordinal) && effort is not null)
        {
            return (null, "Unrecognized request argument supplied: reasoning_effort");
        }
        if (model.StartsWith("gpt-6", StringComparison.Ordinal) && body.TryGetProperty("tools", out _) && effort != "none")
        {
            return (
                "reasoning_effort",
                $"Function tools with reasoning_effort are not supported for {model} in /v1/chat/completions. "
                    + "To use function tools, use /v1/responses or set reasoning_effort to 'none'."
            );
        }
        if (
            model.StartsWith("gpt-6", StringComparison.Ordinal)
            && body.TryGetProperty("temperature", out var temperature)
            && temperature.GetDouble() != 1
        )
        {
            return (
                "temperature",
                $"Unsupported value: 'temperature' does not support {temperature.GetRawText()} with this model. "
                    + "Only the default (1) value is supported."
            );
        }
        return
            model.StartsWith("deepseek", StringComparison.Ordinal)
            && Messages(body).Any(it => it.TryGetProperty("tool_calls", out _) && !it.TryGetProperty("reasoning_content", out _))
            ? (null, "The `reasoning_content` in the thinking mode must be passed back to the API.")
            : null;
    }

    public string System(JsonElement body) =>
        string.Join('\n', Messages(body).Where(it => Role(it) == "system").Select(it => it.GetProperty("content").GetString()));

    public IReadOnlyList<string> Results(JsonElement body) =>
        [
            .. Messages(body)
                .Reverse()
                .TakeWhile(it => Role(it) != "assistant")
                .Where(it => Role(it) == "tool")
                .Reverse()
                .Select(it => it.GetProperty("content").GetString()!),
        ];

    public IEnumerable<string> Stream(ModelCall call, ModelReply reply)
    {
        yield return Chunk(
            call,
            new JsonObject
            {
                ["role"] = "assistant",
                ["content"] = "",
                ["refusal"] = null,
            }
        );
        foreach (var thought in reply.Chunks(reply.Reasoning))
        {
            yield return Chunk(call, new JsonObject { ["reasoning_content"] = thought });
        }
        foreach (var text in reply.Chunks(reply.Text))
        {
            yield return Chunk(call, new JsonObject { ["content"] = text });
        }
        for (var i = 0; i < reply.Calls.Count; i++)
        {
            var function = new JsonObject { ["name"] = reply.Calls[i].Name, ["arguments"] = "" };
            yield return Chunk(
                call,
                Calls(
                    new JsonObject
                    {
                        ["index"] = i,
                        ["id"] = reply.Calls[i].Id,
                        ["type"] = "function",
                        ["function"] = function,
                    }
                )
            );
        }
        // The arguments of several calls alternate, because the API promises no order.
        var pieces = reply.Calls.Select(it => reply.Chunks(it.Arguments).ToList()).ToList();
        for (var at = 0; at < pieces.Select(it => it.Count).DefaultIfEmpty().Max(); at++)
        {
            for (var i = 0; i < pieces.Count; i++)
            {
                if (at < pieces[i].Count)
                {
                    yield return Chunk(
                        call,
                        Calls(
                            new JsonObject
                            {
                                ["index"] = i,
                                ["function"] = new JsonObject { ["arguments"] = pieces[i][at] },
                            }
                        )
                    );
                }
            }
        }
        yield return Chunk(call, [], Finish(reply));
        yield return Event(
            new JsonObject
            {
                ["id"] = "chatcmpl-1",
                ["object"] = "chat.completion.chunk",
                ["model"] = Model(call),
                ["choices"] = new JsonArray(),
                ["usage"] = Usage(reply),
            }
        );
        yield return "data: [DONE]\n\n";
    }

    public string Whole(ModelCall call, ModelReply reply)
    {
        var message = new JsonObject
        {
            ["role"] = "assistant",
            ["content"] = reply.Text.Length > 0 ? reply.Text : null,
            ["refusal"] = null,
        };
        if (reply.Calls.Count > 0)
        {
            message["tool_calls"] = new JsonArray([
                .. reply.Calls.Select(it =>
                    (JsonNode)
                        new JsonObject
                        {
                            ["id"] = it.Id,
                            ["type"] = "function",
                            ["function"] = new JsonObject { ["name"] = it.Name, ["arguments"] = it.Arguments },
                        }
                ),
            ]);
        }
        var choice = new JsonObject
        {
            ["index"] = 0,
            ["message"] = message,
            ["finish_reason"] = Finish(reply),
        };
        return new JsonObject
        {
            ["id"] = "chatcmpl-1",
            ["object"] = "chat.completion",
            ["model"] = Model(call),
            ["choices"] = new JsonArray(choice),
            ["usage"] = Usage(reply),
        }.ToJsonString();
    }

    private static string? Fault(ModelCall call)
    {
        var body = call.Body;
        if (body.EnumerateObject().Select(it => it.Name).Except(Fields).FirstOrDefault() is { } unknown)
        {
            return $"Unrecognized request argument supplied: {unknown}";
        }
        if (Model(call) is ['g', 'p', 't', '-', '5' or '6', ..] && body.TryGetProperty("max_tokens", out _))
        {
            return "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.";
        }
        if (body.TryGetProperty("stream_options", out _) && !call.IsStream)
        {
            return "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
        }
        if (body.TryGetProperty("tool_choice", out _) && !body.TryGetProperty("tools", out _))
        {
            return "'tool_choice' is only allowed when 'tools' are specified.";
        }
        foreach (
            var tool in body.TryGetProperty("tools", out var tools) ? tools.EnumerateArray().Select(it => it.GetProperty("function")) : []
        )
        {
            if (tool.GetProperty("description").GetString()!.Length > 1024)
            {
                return "Invalid 'tools[0].function.description': string too long. Expected a string with maximum length 1024.";
            }
            if (!tool.GetProperty("parameters").TryGetProperty("type", out var type) || type.GetString() != "object")
            {
                return $"Invalid schema for function '{tool.GetProperty("name")}': schema must be a JSON Schema of 'type: \"object\"'.";
            }
        }
        return call.Messages.Count == 0
            ? "[] is too short - 'messages'"
            : MessageFault(call.Messages, Model(call).StartsWith("gpt", StringComparison.Ordinal)) ?? FormatFault(body);
    }

    private static string? MessageFault(IReadOnlyList<JsonElement> messages, bool isOpenAIs)
    {
        var open = new HashSet<string>();
        for (var i = 0; i < messages.Count; i++)
        {
            var message = messages[i];
            var role = Role(message);
            if (role == "tool")
            {
                if (!open.Remove(message.GetProperty("tool_call_id").GetString()!))
                {
                    return "Invalid parameter: messages with role 'tool' must be a response to "
                        + $"a preceeding message with 'tool_calls'. messages.[{i}]";
                }
                continue;
            }
            if (open.Count > 0)
            {
                return "An assistant message with 'tool_calls' must be followed by tool messages "
                    + $"responding to each 'tool_call_id'. Missing: {string.Join(", ", open)}";
            }
            if (role is not ("system" or "user" or "assistant"))
            {
                return $"Invalid value: '{role}'. messages[{i}].role";
            }
            var calls = message.TryGetProperty("tool_calls", out var list) ? list.EnumerateArray().ToList() : [];
            foreach (var call in calls)
            {
                var id = call.GetProperty("id").GetString()!;
                if (isOpenAIs && id.Length > 40)
                {
                    return $"Invalid 'messages[{i}].tool_calls[0].id': string too long. "
                        + $"Expected a string with maximum length 40, but got a string with length {id.Length} instead.";
                }
                if (
                    id.Length == 0
                    || !open.Add(id)
                    || JsonNode.Parse(call.GetProperty("function").GetProperty("arguments").GetString()!) is not JsonObject
                )
                {
                    return $"Invalid tool call '{id}' in messages[{i}]";
                }
            }
            if (ContentFault(message.GetProperty("content"), mayBeNull: calls.Count > 0) is { } fault)
            {
                return $"{fault} messages[{i}].content";
            }
        }
        return open.Count > 0
            ? $"An assistant message with 'tool_calls' must be followed by tool messages. Missing: {string.Join(", ", open)}"
            : null;
    }

    private static string? ContentFault(JsonElement content, bool mayBeNull) =>
        content.ValueKind switch
        {
            JsonValueKind.String => null,
            JsonValueKind.Null when mayBeNull => null,
            JsonValueKind.Array when content.GetArrayLength() > 0 => content
                .EnumerateArray()
                .All(part => Parts.Contains(part.GetProperty("type").GetString()))
                ? null
                : "Invalid part:",
            _ => "Invalid value for 'content': expected a string or parts.",
        };

    private static string? FormatFault(JsonElement body)
    {
        if (!body.TryGetProperty("response_format", out var format) || format.GetProperty("type").GetString() != "json_schema")
        {
            return null;
        }
        var inner = format.GetProperty("json_schema");
        return inner.GetProperty("name").GetString() is not { Length: > 0 } ? "Missing 'response_format.json_schema.name'"
            : inner.TryGetProperty("strict", out var strict)
            && strict.GetBoolean()
            && !inner.GetProperty("schema").GetRawText().Contains("\"additionalProperties\":false", StringComparison.Ordinal)
                ? "Invalid schema for response_format: 'additionalProperties' is required to be supplied and to be false."
            : null;
    }

    private static string Chunk(ModelCall call, JsonObject delta, string? finish = null) =>
        Event(
            new JsonObject
            {
                ["id"] = "chatcmpl-1",
                ["object"] = "chat.completion.chunk",
                ["model"] = Model(call),
                ["choices"] = new JsonArray(
                    new JsonObject
                    {
                        ["index"] = 0,
                        ["delta"] = delta,
                        ["logprobs"] = null,
                        ["finish_reason"] = finish,
                    }
                ),
                ["usage"] = null,
            }
        );

    private static string Event(JsonObject json) => $"data: {json.ToJsonString()}\n\n";

    private static JsonObject Calls(JsonObject call) => new() { ["tool_calls"] = new JsonArray(call) };

    private static string Finish(ModelReply reply) => reply.FinishReason ?? (reply.Calls.Count > 0 ? "tool_calls" : "stop");

    private static JsonObject Usage(ModelReply reply) =>
        new()
        {
            ["prompt_tokens"] = reply.Usage.Input + reply.Usage.Cached,
            ["completion_tokens"] = reply.Usage.Output,
            ["total_tokens"] = reply.Usage.Input + reply.Usage.Cached + reply.Usage.Output,
            ["prompt_tokens_details"] = new JsonObject { ["cached_tokens"] = reply.Usage.Cached },
            ["completion_tokens_details"] = new JsonObject { ["reasoning_tokens"] = reply.Reasoning.Length },
        };

    private static string Model(ModelCall call) => call.Body.GetProperty("model").GetString()!;

    private static string Role(JsonElement message) => message.GetProperty("role").GetString()!;

    private static IEnumerable<JsonElement> Messages(JsonElement body) => body.GetProperty("messages").EnumerateArray();
}
