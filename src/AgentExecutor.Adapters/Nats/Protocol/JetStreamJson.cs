using System.Text.Json;
using System.Text.Json.Serialization;

namespace AgentExecutor.Adapters.Nats.Protocol;

/// <summary>The JSON of JetStream's API. Fields that we do not know are passed over, or kept where a record has a place for them.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, Converters = [typeof(NanosecondsConverter)])]
[JsonSerializable(typeof(ApiError))]
[JsonSerializable(typeof(StreamInfo))]
[JsonSerializable(typeof(ConsumerInfo))]
[JsonSerializable(typeof(PublishAck))]
[JsonSerializable(typeof(CreateConsumerRequest))]
[JsonSerializable(typeof(PullRequest))]
[JsonSerializable(typeof(PurgeRequest))]
[JsonSerializable(typeof(PurgeAnswer))]
[JsonSerializable(typeof(MessageRequest))]
[JsonSerializable(typeof(MessageAnswer))]
[JsonSerializable(typeof(DeleteMessageRequest))]
[JsonSerializable(typeof(SuccessAnswer))]
[JsonSerializable(typeof(NakDelay))]
internal sealed partial class JetStreamJson : JsonSerializerContext;

/// <summary>JetStream counts time in nanoseconds.</summary>
internal sealed class NanosecondsConverter : JsonConverter<TimeSpan>
{
    public static long ToNanoseconds(TimeSpan time) => time.Ticks * TimeSpan.NanosecondsPerTick;

    public override TimeSpan Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => new(reader.GetInt64() / TimeSpan.NanosecondsPerTick);

    public override void Write(Utf8JsonWriter writer, TimeSpan value, JsonSerializerOptions options) => writer.WriteNumberValue(ToNanoseconds(value));
}

internal sealed record ApiError(int Code, int ErrCode = 0, string Description = "");

internal sealed record CreateConsumerRequest(string StreamName, ConsumerConfig Config);

internal sealed record PullRequest(int Batch, TimeSpan? Expires, TimeSpan? IdleHeartbeat, bool? NoWait, long? MaxBytes);

internal sealed record PurgeRequest(string? Filter, ulong? Seq, ulong? Keep);

internal sealed record PurgeAnswer(long Purged);

internal sealed record MessageRequest(ulong? Seq, [property: JsonPropertyName("last_by_subj")] string? LastBySubject);

internal sealed record MessageAnswer(StoredMessageJson Message);

internal sealed record StoredMessageJson(string Subject, ulong Seq, byte[]? Hdrs, byte[]? Data, DateTimeOffset Time);

internal sealed record DeleteMessageRequest(ulong Seq, bool NoErase);

internal sealed record SuccessAnswer(bool Success);

internal sealed record NakDelay(TimeSpan Delay);
