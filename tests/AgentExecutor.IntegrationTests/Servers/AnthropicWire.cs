using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace AgentExecutor.IntegrationTests.Servers;

/// <summary>The Messages API of Anthropic.</summary>
internal sealed class AnthropicWire : IModelWire
{
    private static readonly string[] Fields =
    [
        "model",
        "max_tokens",
        "messages",
        "system",
        "stream",
        "temperature",
        "tools",
        "tool_choice",
        "output_config",
    ];
    private static readonly string[] Blocks = ["text", "image", "document", "tool_use", "tool_result", "thinking", "redacted_thinking"];
    private static readonly string[] Efforts = ["low", "medium", "high", "xhigh", "max"];

    public ModelReply? Refuse(ModelCall call, string? key)
    {
        var given = call.Headers.GetValueOrDefault("x-api-key");
        if (key is not null && given != key || call.Headers.ContainsKey("Authorization"))
        {
            return ModelReply.Refuses(401, Error("authentication_error", $"invalid x-api-key: {given}"));
        }
        var fault =
            call.Headers.GetValueOrDefault("anthropic-version") != "2023-06-01" ? "anthropic-version: header is required" : Fault(call);
        return fault is not null ? ModelReply.Refuses(400, Error("invalid_request_error", fault)) : null;
    }

    public static string Error(string type, string message) =>
        new JsonObject
        {
            ["type"] = "error",
            ["error"] = new JsonObject { ["type"] = type, ["message"] = message },
            ["request_id"] = "req_1",
        }.ToJsonString();

    public string System(JsonElement body) =>
        body.TryGetProperty("system", out var system)
            ? string.Join('\n', system.EnumerateArray().Select(it => it.GetProperty("text").GetString()))
            : "";

    public IReadOnlyList<string> Results(JsonElement body) =>
        [
            .. body.GetProperty("messages")
                .EnumerateArray()
                .Last()
                .GetProperty("content")
                .EnumerateArray()
                .Where(it => Type(it) == "tool_result")
                .Select(it => it.GetProperty("content").GetString()!),
        ];

    public IEnumerable<string> Stream(ModelCall call, ModelReply reply)
    {
        var head = Message(call, reply, new JsonArray());
        (head["stop_reason"], head["usage"]!["output_tokens"]) = (null, 1);
        yield return Event("message_start", new JsonObject { ["message"] = head });
        yield return Event("ping", []);
        var index = 0;
        if (reply.Reasoning.Length > 0)
        {
            foreach (var piece in Thinking(index++, call, reply, reply.Reasoning))
            {
                yield return piece;
            }
        }
        if (reply.Text.Length > 0)
        {
            foreach (
                var piece in Block(
                    index++,
                    new JsonObject { ["type"] = "text", ["text"] = "" },
                    reply.Chunks(reply.Text).Select(it => new JsonObject { ["type"] = "text_delta", ["text"] = it })
                )
            )
            {
                yield return piece;
            }
        }
        if (reply.ThinksOn)
        {
            foreach (var piece in Thinking(index++, call, reply, ""))
            {
                yield return piece;
            }
        }
        foreach (var tool in reply.Calls)
        {
            if (reply.ThinksOn && tool == reply.Calls[^1])
            {
                foreach (
                    var piece in Block(
                        index++,
                        new JsonObject { ["type"] = "redacted_thinking", ["data"] = Signature(call.Body, call.Messages.Count, "withheld") },
                        []
                    )
                )
                {
                    yield return piece;
                }
            }
            var block = new JsonObject
            {
                ["type"] = "tool_use",
                ["id"] = tool.Id,
                ["name"] = tool.Name,
                ["input"] = new JsonObject(),
            };
            foreach (
                var piece in Block(
                    index++,
                    block,
                    reply
                        .Chunks(tool.Arguments)
                        .Prepend("")
                        .Select(it => new JsonObject { ["type"] = "input_json_delta", ["partial_json"] = it })
                )
            )
            {
                yield return piece;
            }
        }
        yield return Event(
            "message_delta",
            new JsonObject
            {
                ["delta"] = new JsonObject { ["stop_reason"] = Stop(reply), ["stop_sequence"] = null },
                ["usage"] = new JsonObject { ["output_tokens"] = reply.Usage.Output },
            }
        );
        yield return Event("message_stop", []);
    }

    public string Whole(ModelCall call, ModelReply reply)
    {
        var content = new JsonArray();
        if (reply.Text.Length > 0)
        {
            content.Add(new JsonObject { ["type"] = "text", ["text"] = reply.Text });
        }
        foreach (var tool in reply.Calls)
        {
            content.Add(
                new JsonObject
                {
                    ["type"] = "tool_use",
                    ["id"] = tool.Id,
                    ["name"] = tool.Name,
                    ["input"] = JsonNode.Parse(tool.Arguments),
                }
            );
        }
        return Message(call, reply, content).ToJsonString();
    }

    private static IEnumerable<string> Thinking(int index, ModelCall call, ModelReply reply, string text)
    {
        var signature = new JsonObject { ["type"] = "signature_delta", ["signature"] = Signature(call.Body, call.Messages.Count, text) };
        return Block(
            index,
            new JsonObject
            {
                ["type"] = "thinking",
                ["thinking"] = "",
                ["signature"] = "",
            },
            reply.Chunks(text).Select(it => new JsonObject { ["type"] = "thinking_delta", ["thinking"] = it }).Append(signature)
        );
    }

    /// <summary>Signs thinking for its model and everything before it except cache marks, as the real server does.</summary>
    private static string Signature(JsonElement body, int messages, string text)
    {
        var prefix = ((string[])["model", "system", "tools"])
            .Select(name => body.TryGetProperty(name, out var part) ? part.GetRawText() : "")
            .Concat(body.GetProperty("messages").EnumerateArray().Take(messages).Select(it => it.GetRawText()))
            .Append(text);
        var plain = string.Join('\n', prefix).Replace(""","cache_control":{"type":"ephemeral"}""", "", StringComparison.Ordinal);
        return Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(plain)));
    }

    private static string? ThinkingFault(JsonElement body, int message, JsonElement block) =>
        Type(block) switch
        {
            "thinking"
                when block.GetProperty("signature").GetString() != Signature(body, message, block.GetProperty("thinking").GetString()!) =>
                "Invalid `signature` in `thinking` block",
            "redacted_thinking" when block.GetProperty("data").GetString() != Signature(body, message, "withheld") =>
                "Invalid `data` in `redacted_thinking` block",
            "thinking" or "redacted_thinking" when block.TryGetProperty("cache_control", out _) =>
                "cache_control cannot be set on thinking blocks",
            _ => null,
        };

    /// <summary>Options that current models no longer accept.</summary>
    private static string? SettingFault(JsonElement body)
    {
        var isCurrent =
            body.GetProperty("model").GetString()!.Contains("-5", StringComparison.Ordinal)
            && !body.GetProperty("model").GetString()!.Contains("-4-5", StringComparison.Ordinal);
        var effort =
            body.TryGetProperty("output_config", out var config) && config.TryGetProperty("effort", out var given)
                ? given.GetString()
                : null;
        return isCurrent && body.TryGetProperty("temperature", out _) ? "`temperature` is deprecated for this model."
            : isCurrent && body.TryGetProperty("tool_choice", out var choice) && Type(choice) is "any" or "tool"
                ? "Thinking may not be enabled when tool_choice forces tool use."
            : effort is null ? null
            : !isCurrent ? "This model does not support the effort parameter."
            : Efforts.Contains(effort) ? null
            : "output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'";
    }

    private static string? Fault(ModelCall call)
    {
        var body = call.Body;
        if (body.EnumerateObject().Select(it => it.Name).Except(Fields).FirstOrDefault() is { } unknown)
        {
            return $"{unknown}: Extra inputs are not permitted";
        }
        if (!body.TryGetProperty("max_tokens", out var most) || most.GetInt32() < 1)
        {
            return "max_tokens: Field required";
        }
        if (body.TryGetProperty("temperature", out var temperature) && temperature.GetDouble() is < 0 or > 1)
        {
            return "temperature: range: 0..1";
        }
        if (Regex.Count(body.GetRawText(), "\"cache_control\"") > 4)
        {
            return "A maximum of 4 blocks with cache_control may be provided.";
        }
        foreach (var tool in body.TryGetProperty("tools", out var tools) ? tools.EnumerateArray() : default)
        {
            if (!tool.GetProperty("input_schema").TryGetProperty("type", out var type) || type.GetString() != "object")
            {
                return "tools.0.custom.input_schema.type: Field required";
            }
        }
        return SettingFault(body)
            ?? FormatFault(body)
            ?? (call.Messages.Count == 0 ? "messages: at least one message is required" : MessageFault(body, call.Messages));
    }

    private static string? FormatFault(JsonElement body)
    {
        if (!body.TryGetProperty("output_config", out var config) || !config.TryGetProperty("format", out var format))
        {
            return null;
        }
        var schema = format.GetProperty("schema").GetRawText();
        return
            Regex.IsMatch(schema, "\"(minimum|maxLength|maxItems)\"")
            || Regex.Count(schema, "\"type\": ?\"object\"") != Regex.Count(schema, "\"additionalProperties\": ?false")
            ? "output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false"
            : null;
    }

    private static string? MessageFault(JsonElement body, IReadOnlyList<JsonElement> messages)
    {
        var open = new List<string>();
        for (var i = 0; i < messages.Count; i++)
        {
            var role = messages[i].GetProperty("role").GetString();
            if (role != (i % 2 == 0 ? "user" : "assistant"))
            {
                return $"messages.{i}: roles must alternate between \"user\" and \"assistant\"";
            }
            var blocks = messages[i].GetProperty("content").EnumerateArray().ToList();
            if (blocks.Count == 0)
            {
                return $"messages.{i}: content cannot be empty";
            }
            var answered = blocks
                .TakeWhile(it => Type(it) == "tool_result")
                .Select(it => it.GetProperty("tool_use_id").GetString()!)
                .ToList();
            if (!answered.Order().SequenceEqual(open.Order()) || blocks.Count(it => Type(it) == "tool_result") != answered.Count)
            {
                return $"messages.{i}: `tool_use` ids were found without `tool_result` blocks immediately after: {string.Join(", ", open)}";
            }
            if (blocks.Select(it => BlockFault(it) ?? ThinkingFault(body, i, it)).FirstOrDefault(it => it is not null) is { } fault)
            {
                return $"messages.{i}: {fault}";
            }
            open = [.. blocks.Where(it => Type(it) == "tool_use").Select(it => it.GetProperty("id").GetString()!)];
        }
        return messages.Count % 2 == 0
            ? "This model does not support assistant message prefill. The conversation must end with a user message."
            : null;
    }

    private static string? BlockFault(JsonElement block) =>
        Type(block) switch
        {
            var type when !Blocks.Contains(type) => $"content.0: Input tag '{type}' found",
            "text" when string.IsNullOrWhiteSpace(block.GetProperty("text").GetString()) =>
                "text content blocks must contain non-whitespace text",
            "tool_use" when !Regex.IsMatch(block.GetProperty("id").GetString()!, "^[a-zA-Z0-9_-]+$") =>
                "tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'",
            "tool_use" when block.GetProperty("input").ValueKind != JsonValueKind.Object =>
                "tool_use.input: Input should be a valid dictionary",
            "tool_result"
                when block.TryGetProperty("is_error", out var isError)
                    && isError.GetBoolean()
                    && block.GetProperty("content").GetString()!.Length == 0 => "content cannot be empty if `is_error` is true",
            _ => null,
        };

    private static IEnumerable<string> Block(int index, JsonObject start, IEnumerable<JsonObject> deltas)
    {
        yield return Event("content_block_start", new JsonObject { ["index"] = index, ["content_block"] = start });
        foreach (var delta in deltas)
        {
            yield return Event("content_block_delta", new JsonObject { ["index"] = index, ["delta"] = delta });
        }
        yield return Event("content_block_stop", new JsonObject { ["index"] = index });
    }

    private static JsonObject Message(ModelCall call, ModelReply reply, JsonArray content) =>
        new()
        {
            ["id"] = "msg_1",
            ["type"] = "message",
            ["role"] = "assistant",
            ["model"] = call.Body.GetProperty("model").GetString(),
            ["content"] = content,
            ["stop_reason"] = Stop(reply),
            ["stop_sequence"] = null,
            ["usage"] = new JsonObject
            {
                ["input_tokens"] = reply.Usage.Input,
                ["cache_creation_input_tokens"] = reply.Usage.Written,
                ["cache_read_input_tokens"] = reply.Usage.Cached,
                ["output_tokens"] = reply.Usage.Output,
            },
        };

    private static string Event(string type, JsonObject json)
    {
        json.Insert(0, "type", type);
        return $"event: {type}\ndata: {json.ToJsonString()}\n\n";
    }

    private static string Stop(ModelReply reply) => reply.FinishReason ?? (reply.Calls.Count > 0 ? "tool_use" : "end_turn");

    private static string Type(JsonElement block) => block.GetProperty("type").GetString()!;
}
