using System.Text.Json;
using System.Text.Json.Nodes;
using AgentExecutor.Core.Json;
using NATS.Client.Core;
using NATS.Client.JetStream;
using NATS.Client.JetStream.Models;

namespace AgentExecutor.Adapters.Nats;

/// <summary>
/// Changes fields of the configuration of a stream or consumer. The models of the client only contain the fields of one server version, so
/// an update with them would reset all other fields. Instead, the JSON that the server returns is changed and sent back.
/// </summary>
internal sealed class ConfigurationUpdate(INatsConnection connection)
{
    private const string Api = "$JS.API.";

    public Task ApplyToStreamAsync(string stream, JsonObject changes, CancellationToken cancellationToken) =>
        ApplyAsync($"STREAM.INFO.{stream}", $"STREAM.UPDATE.{stream}", static config => config, changes, cancellationToken);

    public Task ApplyToConsumerAsync(string stream, string consumer, JsonObject changes, CancellationToken cancellationToken) =>
        ApplyAsync(
            $"CONSUMER.INFO.{stream}.{consumer}",
            $"CONSUMER.DURABLE.CREATE.{stream}.{consumer}",
            config => new JsonObject { ["stream_name"] = stream, ["config"] = config },
            changes,
            cancellationToken
        );

    private async Task ApplyAsync(
        string info,
        string update,
        Func<JsonNode, JsonNode> request,
        JsonObject changes,
        CancellationToken cancellationToken
    )
    {
        var config = (await CallAsync(info, null, cancellationToken))["config"]!.DeepClone().AsObject();
        foreach (var (field, value) in changes)
        {
            config.Remove(field);
            if (value is not null)
            {
                config[field] = value.DeepClone();
            }
        }
        await CallAsync(update, request(config), cancellationToken);
    }

    /// <exception cref="NatsJSApiException">The server rejects the request.</exception>
    private async Task<JsonNode> CallAsync(string verb, JsonNode? request, CancellationToken cancellationToken)
    {
        var body = request is null ? [] : JsonSerializer.SerializeToUtf8Bytes(request);
        var reply = await connection.RequestAsync(
            Api + verb,
            body,
            requestSerializer: NatsRawSerializer<byte[]>.Default,
            replySerializer: NatsRawSerializer<byte[]>.Default,
            cancellationToken: cancellationToken
        );
        var answer = JsonObject.Create(InputJson.Parse(reply.Data ?? []))!;
        return answer["error"] is not { } error
            ? answer
            : throw new NatsJSApiException(
                new ApiError
                {
                    Code = error["code"]?.GetValue<int>() ?? 0,
                    ErrCode = error["err_code"]?.GetValue<int>() ?? 0,
                    Description = error["description"]?.GetValue<string>(),
                }
            );
    }
}
