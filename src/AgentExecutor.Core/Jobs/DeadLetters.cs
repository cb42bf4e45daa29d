using System.Collections.Immutable;
using System.Globalization;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.Workers;

namespace AgentExecutor.Core.Jobs;

/// <summary>Messages that cannot be worked on, each as it was with the reason in its headers: to be looked at, sent again, or dropped by a person.</summary>
public sealed class DeadLetters(IEventBus bus, TimeProvider time)
{
    public const string Code = "Dead-Letter-Code";
    public const string Reason = "Dead-Letter-Reason";
    public const string Subject = "Dead-Letter-Subject";
    public const string Sequence = "Dead-Letter-Sequence";
    public const string Attempts = "Dead-Letter-Attempts";
    public const string Time = "Dead-Letter-Time";

    /// <summary>On a message that a person sent again: a job that failed is then begun anew.</summary>
    public const string Redriven = "Dead-Letter-Redriven";

    private const string Prefix = "Dead-Letter-";
    private const int LongestReason = 1_000;

    /// <summary>Stores a message that was delivered; stored when the call returns.</summary>
    public ValueTask PutAsync(IDelivery delivery, string code, string reason, CancellationToken cancellationToken)
    {
        var message = delivery.Message;
        return PutAsync(
            message, $"dead:{message.Sequence}:{message.Time.UtcTicks}", code, reason, // a stream that was made anew counts from 1 again
            [
                KeyValuePair.Create(Sequence, message.Sequence.ToString(CultureInfo.InvariantCulture)),
                KeyValuePair.Create(Attempts, delivery.Attempt.ToString(CultureInfo.InvariantCulture)),
            ],
            cancellationToken);
    }

    /// <summary>Stores the request of a job that its workers died of, made anew from what is stored of it.</summary>
    public ValueTask PutAsync(ClaimedRun run, string code, string reason, CancellationToken cancellationToken)
    {
        var body = JsonBytes.Write(run, static (writer, it) =>
        {
            writer.WriteStartObject();
            writer.WriteString("trace_id"u8, it.Run.TraceId.Length > 0 ? it.Run.TraceId : it.Run.RunId);
            writer.WriteString("job_id"u8, it.Run.RunId);
            writer.WritePropertyName("agent_definition"u8);
            writer.WriteRawValue(it.Definition.Json.Span, skipInputValidation: true);
            writer.WritePropertyName("input_payload"u8);
            writer.WriteRawValue(it.Input.Span, skipInputValidation: true);
            writer.WriteEndObject();
        });
        var message = new BusMessage($"{BusSubjects.Jobs}crashed", body) { Headers = [KeyValuePair.Create("Content-Type", "application/json")] };
        return PutAsync(message, $"dead:{run.Run.RunId}:{run.Run.Attempt}", code, reason, [], cancellationToken);
    }

    /// <summary>Dead letters, the oldest first.</summary>
    public ValueTask<ImmutableArray<StoredMessage>> ListAsync(long after, int atMost, CancellationToken cancellationToken) =>
        bus.ReadAsync(new BusQuery(BusStream.DeadLetters, atMost, after), cancellationToken);

    /// <exception cref="FaultException"><see cref="FaultCodes.UnknownMessage"/>.</exception>
    public async ValueTask<StoredMessage> FindAsync(long sequence, CancellationToken cancellationToken) =>
        (await ListAsync(sequence - 1, 1, cancellationToken)).FirstOrDefault(message => message.Sequence == sequence) ?? throw Unknown(sequence);

    /// <summary>Sends the message as a job again, and drops the letter.</summary>
    /// <exception cref="FaultException"><see cref="FaultCodes.UnknownMessage"/>.</exception>
    public async ValueTask RedriveAsync(long sequence, CancellationToken cancellationToken)
    {
        var letter = await FindAsync(sequence, cancellationToken);
        var subject = letter.Header(Subject) is { } told && told.StartsWith(BusSubjects.Jobs, StringComparison.Ordinal) ? told : $"{BusSubjects.Jobs}redriven";
        var headers = letter.Headers.RemoveAll(static header => header.Key.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase));
        await bus.PublishAsync(
            [new BusMessage(subject, letter.Body) { Id = $"redriven:{sequence}:{letter.Time.UtcTicks}", Headers = headers.Add(KeyValuePair.Create(Redriven, "1")) }], cancellationToken);
        await bus.DeleteAsync(BusStream.DeadLetters, sequence, cancellationToken);
    }

    /// <exception cref="FaultException"><see cref="FaultCodes.UnknownMessage"/>.</exception>
    public async ValueTask DropAsync(long sequence, CancellationToken cancellationToken)
    {
        if (!await bus.DeleteAsync(BusStream.DeadLetters, sequence, cancellationToken))
        {
            throw Unknown(sequence);
        }
    }

    /// <summary>
    /// What a sender made up must not keep its message from being put aside: what cannot be sent on is left out, and what has no room with the headers of ours goes without
    /// its body, and then without its own headers.
    /// </summary>
    private async ValueTask PutAsync(
        BusMessage message, string id, string code, string reason, ImmutableArray<KeyValuePair<string, string>> more, CancellationToken cancellationToken)
    {
        ImmutableArray<KeyValuePair<string, string>> own = [.. message.Headers.Where(CanBeSent)];
        var letter = new BusMessage(BusSubjects.DeadLetterOf(message.Subject), message.Body)
        {
            Id = id,
            Headers =
            [
                .. own,
                KeyValuePair.Create(Code, code),
                KeyValuePair.Create(Reason, OneLine(reason)),
                KeyValuePair.Create(Subject, OneLine(message.Subject)),
                KeyValuePair.Create(Time, time.GetUtcNow().ToString("O", CultureInfo.InvariantCulture)),
                .. more,
            ],
        };
        foreach (var smaller in (BusMessage[])[letter, letter with { Body = default }])
        {
            try
            {
                await bus.PublishAsync([smaller], cancellationToken);
                return;
            }
            catch (FaultException fault) when (fault.Code == FaultCodes.MessageTooLarge)
            {
                // the next is smaller
            }
        }
        await bus.PublishAsync([letter with { Body = default, Headers = letter.Headers.RemoveRange(0, own.Length) }], cancellationToken);
    }

    /// <summary>NATS passes on what its own clients refuse to send.</summary>
    private static bool CanBeSent(KeyValuePair<string, string> header) =>
        !header.Key.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase)
        && header.Key.Length > 0 && !header.Key.Any(static it => it is ':' || char.IsWhiteSpace(it) || char.IsControl(it))
        && !header.Value.Any(static it => it is '\r' or '\n');

    /// <summary>Headers are lines.</summary>
    private static string OneLine(string text)
    {
        var line = string.Create(Math.Min(text.Length, LongestReason), text, static (to, from) =>
        {
            for (var i = 0; i < to.Length; i++)
            {
                to[i] = char.IsControl(from[i]) ? ' ' : from[i];
            }
        });
        return line.Length > 0 && char.IsHighSurrogate(line[^1]) ? line[..^1] : line;
    }

    private static FaultException Unknown(long sequence) => new(
        FaultCodes.UnknownMessage, $"there is no dead letter {sequence}", "list them with: agent-executor dead-letters list");
}
