using System.Buffers.Text;
using System.Globalization;
using System.Text.Json;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messaging;

namespace AgentExecutor.Core.Jobs;

/// <summary>
/// Creates and reads the links under which a person answers one question. A link contains the question's id and its expiry, signed. It can
/// be used until the question is answered.
/// </summary>
/// <param name="signer">Signs the links.</param>
/// <param name="publicUrl">The URL of the service for its clients, or "" for no links.</param>
/// <param name="lifetime">How long a link is valid if the question has no deadline.</param>
public sealed class QuestionLinks(RequestSigner signer, string publicUrl, TimeSpan lifetime)
{
    /// <summary>The path of the links, without the token.</summary>
    public const string Path = "/questions/";

    private const int LongestToken = 4_000;

    /// <summary>True if the events of questions contain links.</summary>
    public bool AreUsed => signer.HasKey && publicUrl.Length > 0;

    /// <summary>Adds the link of each question to the data of an event that announces questions.</summary>
    /// <param name="data">The data, an object with <c>interrupts</c>.</param>
    /// <param name="threadId">The thread of the questions.</param>
    /// <param name="time">When the event was stored. The same event always has the same links.</param>
    public ReadOnlyMemory<byte> AddTo(ReadOnlyMemory<byte> data, string threadId, DateTimeOffset time) =>
        AreUsed
            ? JsonBytes.Write(
                (Data: StoredJson.Parse(data.Span), threadId, time, Links: this),
                static (writer, it) =>
                {
                    writer.WriteStartObject();
                    foreach (var member in it.Data.EnumerateObject())
                    {
                        if (member.NameEquals("interrupts"u8) && member.Value.ValueKind == JsonValueKind.Array)
                        {
                            it.Links.WriteQuestions(writer, member.Value, it.threadId, it.time);
                        }
                        else
                        {
                            member.WriteTo(writer);
                        }
                    }
                    writer.WriteEndObject();
                }
            )
            : data;

    /// <summary>Returns the link of a question.</summary>
    public string LinkOf(string threadId, string interruptId, DateTimeOffset time, DateTimeOffset? deadline)
    {
        var body = JsonBytes.Write(
            (threadId, interruptId, expires: (deadline ?? time + lifetime).ToUnixTimeSeconds()),
            static (writer, it) =>
            {
                writer.WriteStartObject();
                writer.WriteString("thread_id"u8, it.threadId);
                writer.WriteString("interrupt_id"u8, it.interruptId);
                writer.WriteNumber("expires"u8, it.expires);
                writer.WriteEndObject();
            }
        );
        var token = string.Create(
            CultureInfo.InvariantCulture,
            $"{Base64Url.EncodeToString(body)}.{time.ToUnixTimeSeconds()}.{signer.Sign(time, body)}"
        );
        return $"{publicUrl.TrimEnd('/')}{Path}{token}";
    }

    /// <summary>Reads the token of a link.</summary>
    /// <exception cref="FaultException">
    /// <see cref="FaultCodes.LinkInvalid"/>: the link was not made here, or was changed. <see cref="FaultCodes.LinkExpired"/>. <see
    /// cref="FaultCodes.SigningKeyMissing"/>.
    /// </exception>
    public QuestionLink Read(string token, DateTimeOffset now)
    {
        var parts = token.Split('.');
        if (
            token.Length > LongestToken
            || parts.Length != 3
            || !long.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
            || seconds > DateTimeOffset.MaxValue.ToUnixTimeSeconds()
            || !TryDecode(parts[0], out var body)
            || !signer.Verify(DateTimeOffset.FromUnixTimeSeconds(seconds), body, parts[2])
        )
        {
            // Without a key no link can be verified, and the reason is reported instead.
            _ = signer.Sign(now, default);
            throw new FaultException(FaultCodes.LinkInvalid, "the link is not valid", "open the link exactly as it was sent");
        }
        var json = StoredJson.Parse(body);
        return now.ToUnixTimeSeconds() < json.GetProperty("expires").GetInt64()
            ? new QuestionLink(json.TextProperty("thread_id")!, json.TextProperty("interrupt_id")!)
            : throw new FaultException(FaultCodes.LinkExpired, "the link has expired", "ask the sender for another one");
    }

    private void WriteQuestions(Utf8JsonWriter writer, JsonElement questions, string threadId, DateTimeOffset time)
    {
        writer.WriteStartArray("interrupts"u8);
        foreach (var question in questions.EnumerateArray())
        {
            if (question.TextProperty("id") is not { } id)
            {
                question.WriteTo(writer);
                continue;
            }
            var deadline =
                question.Property("deadline") is { ValueKind: JsonValueKind.String } text && text.TryGetDateTimeOffset(out var at)
                    ? at
                    : (DateTimeOffset?)null;
            writer.WriteStartObject();
            foreach (var member in question.EnumerateObject())
            {
                member.WriteTo(writer);
            }
            writer.WriteString("url"u8, LinkOf(threadId, id, time, deadline));
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
    }

    private static bool TryDecode(string text, out byte[] bytes)
    {
        bytes = [];
        if (!Base64Url.IsValid(text))
        {
            return false;
        }
        bytes = Base64Url.DecodeFromChars(text);
        return true;
    }
}

/// <summary>The question of a link.</summary>
public sealed record QuestionLink(string ThreadId, string InterruptId);
