using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace AgentExecutor.Adapters.Nats.Protocol;

/// <summary>Asks JetStream's API and turns its errors into faults.</summary>
internal sealed class JetStreamApi(NatsConnection connection)
{
    private const string Prefix = "$JS.API.";

    /// <exception cref="JetStreamException">The server refused.</exception>
    /// <exception cref="NatsException">No answer.</exception>
    public async Task<T> CallAsync<T>(string verb, ReadOnlyMemory<byte> body, JsonTypeInfo<T> answer, CancellationToken cancellationToken)
    {
        var reply = await connection.RequestAsync(Prefix + verb, body, null, null, cancellationToken);
        return Parse(reply.Payload.Span, answer);
    }

    /// <summary>Null where what was asked for is missing.</summary>
    public async Task<T?> FindAsync<T>(string verb, ReadOnlyMemory<byte> body, int missing, JsonTypeInfo<T> answer, CancellationToken cancellationToken)
        where T : class
    {
        try
        {
            return await CallAsync(verb, body, answer, cancellationToken);
        }
        catch (JetStreamException exception) when (exception.ErrorCode == missing)
        {
            return null;
        }
    }

    public static byte[] Body<T>(T request, JsonTypeInfo<T> type) => JsonSerializer.SerializeToUtf8Bytes(request, type);

    public static T Parse<T>(ReadOnlySpan<byte> json, JsonTypeInfo<T> type)
    {
        try
        {
            ThrowIfError(json);
            return JsonSerializer.Deserialize(json, type) ?? throw new JsonException("null");
        }
        catch (JsonException exception)
        {
            throw new NatsException(NatsFault.Protocol, "JetStream sent an answer that cannot be read", exception);
        }
    }

    /// <summary>An answer has an <c>error</c> at its top level, or is one.</summary>
    private static void ThrowIfError(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isError = reader.ValueTextEquals("error"u8);
            reader.Read();
            if (isError && JsonSerializer.Deserialize(ref reader, JetStreamJson.Default.ApiError) is { } error)
            {
                throw new JetStreamException(error.Code, error.ErrCode, error.Description);
            }
            reader.Skip();
        }
    }
}
