using System.Collections.Immutable;
using System.Globalization;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.Queues;

namespace AgentExecutor.Core.Jobs;

/// <summary>
/// Stores messages that cannot be processed, unchanged and with the reason in their headers, so that an operator can inspect, resend or
/// delete them.
/// </summary>
public sealed class DeadLetters(IEventBus bus, TimeProvider time)
{
    public const string Code = "Dead-Letter-Code";
    public const string Reason = "Dead-Letter-Reason";
    public const string Subject = "Dead-Letter-Subject";
    public const string Sequence = "Dead-Letter-Sequence";
    public const string Attempts = "Dead-Letter-Attempts";
    public const string Time = "Dead-Letter-Time";

    /// <summary>Set on a message that an operator has sent again: its failed job is then started again.</summary>
    public const string Redriven = "Dead-Letter-Redriven";

    /// <summary>
    /// The attempt at which the job failed. The header stays on a message that is sent again, so that a run that has started again since is
    /// recognized by its later attempt.
    /// </summary>
    public const string FailedAttempt = "Dead-Letter-Failed-Attempt";

    private const string Prefix = "Dead-Letter-";
    private const int LongestReason = 1_000;

    /// <summary>Stores a message that was delivered. The message is durable when the call returns.</summary>
    public ValueTask PutAsync(IDelivery delivery, string code, string reason, CancellationToken cancellationToken)
    {
        var message = delivery.Message;
        return PutAsync(
            // A stream that is deleted and created again numbers its messages from 1 again.
            message,
            $"dead:{message.Sequence}:{message.Time.UtcTicks}",
            code,
            reason,
            [
                KeyValuePair.Create(Sequence, message.Sequence.ToString(CultureInfo.InvariantCulture)),
                KeyValuePair.Create(Attempts, delivery.Attempt.ToString(CultureInfo.InvariantCulture)),
            ],
            cancellationToken
        );
    }

    /// <summary>Stores the request of a job that repeatedly lost its worker. The request is rebuilt from the stored run.</summary>
    public ValueTask PutAsync(ClaimedRun run, string code, string reason, CancellationToken cancellationToken)
    {
        var body = JsonBytes.Write(
            run,
            static (writer, it) =>
            {
                writer.WriteStartObject();
                writer.WriteString("trace_id"u8, it.Run.TraceId.Length > 0 ? it.Run.TraceId : it.Run.RunId);
                writer.WriteString("job_id"u8, it.Run.RunId);
                writer.WritePropertyName("agent_definition"u8);
                writer.WriteRawValue(it.Definition.Json.Span, skipInputValidation: true);
                writer.WritePropertyName("input_payload"u8);
                writer.WriteRawValue(it.Input.Span, skipInputValidation: true);
                writer.WriteEndObject();
            }
        );
        var message = new BusMessage($"{BusSubjects.Jobs}crashed", body)
        {
            Headers = [KeyValuePair.Create("Content-Type", "application/json")],
        };
        // A job that is submitted again after its thread was deleted counts its attempts from 1 again.
        var life = run.Run.CreatedAt.ToUnixTimeMilliseconds();
        return PutAsync(
            message,
            $"dead:{run.Run.RunId}:{life}:{run.Run.Attempt}",
            code,
            reason,
            [KeyValuePair.Create(FailedAttempt, run.Run.Attempt.ToString(CultureInfo.InvariantCulture))],
            cancellationToken
        );
    }

    /// <summary>Returns dead letters, oldest first.</summary>
    public ValueTask<ImmutableArray<StoredMessage>> ListAsync(long after, int atMost, CancellationToken cancellationToken) =>
        bus.ReadAsync(new BusQuery(BusStream.DeadLetters, atMost, after), cancellationToken);

    /// <exception cref="FaultException">There is no such dead letter (<see cref="FaultCodes.UnknownMessage"/>).</exception>
    public async ValueTask<StoredMessage> FindAsync(long sequence, CancellationToken cancellationToken) =>
        (await ListAsync(sequence - 1, 1, cancellationToken)).FirstOrDefault(message => message.Sequence == sequence)
        ?? throw Unknown(sequence);

    /// <summary>Publishes the message as a job or an answer again, and then deletes the dead letter.</summary>
    /// <exception cref="FaultException">There is no such dead letter (<see cref="FaultCodes.UnknownMessage"/>).</exception>
    public async ValueTask RedriveAsync(long sequence, CancellationToken cancellationToken)
    {
        var letter = await FindAsync(sequence, cancellationToken);
        var subject = letter.Header(Subject) is { } original && IsTaken(original) ? original : $"{BusSubjects.Jobs}redriven";
        var headers = letter.Headers.RemoveAll(static header =>
            header.Key.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase)
            && !header.Key.Equals(FailedAttempt, StringComparison.OrdinalIgnoreCase)
        );
        var id = $"redriven:{sequence}:{letter.Time.UtcTicks}";
        var message = new BusMessage(subject, letter.Body) { Id = id, Headers = headers.Add(KeyValuePair.Create(Redriven, "1")) };
        await bus.PublishAsync([message], cancellationToken);
        await bus.DeleteAsync(BusStream.DeadLetters, sequence, cancellationToken);
    }

    /// <exception cref="FaultException">There is no such dead letter (<see cref="FaultCodes.UnknownMessage"/>).</exception>
    public async ValueTask DropAsync(long sequence, CancellationToken cancellationToken)
    {
        if (!await bus.DeleteAsync(BusStream.DeadLetters, sequence, cancellationToken))
        {
            throw Unknown(sequence);
        }
    }

    /// <summary>Returns true if the service takes messages from the subject.</summary>
    private static bool IsTaken(string subject) =>
        subject.StartsWith(BusSubjects.Jobs, StringComparison.Ordinal)
        || subject.StartsWith(BusSubjects.Answers, StringComparison.Ordinal)
        || subject == BusSubjects.ToolResults;

    /// <summary>
    /// Publishes a dead letter whatever its sender has written: headers that cannot be sent are omitted, and a message that is too large
    /// with the added headers is stored without its body, and then also without its own headers.
    /// </summary>
    private async ValueTask PutAsync(
        BusMessage message,
        string id,
        string code,
        string reason,
        ImmutableArray<KeyValuePair<string, string>> more,
        CancellationToken cancellationToken
    )
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
        await PublishAsync(letter, own.Length, cancellationToken);
        Telemetry.DeadLetters.Add(1, new KeyValuePair<string, object?>("reason", Telemetry.Bounded(Telemetry.DeadLetters, code)));
    }

    private async ValueTask PublishAsync(BusMessage letter, int ownHeaders, CancellationToken cancellationToken)
    {
        foreach (var smaller in (BusMessage[])[letter, letter with { Body = default }])
        {
            try
            {
                await bus.PublishAsync([smaller], cancellationToken);
                return;
            }
            catch (FaultException fault) when (fault.Code == FaultCodes.MessageTooLarge)
            {
                // The next version of the message is smaller.
            }
        }
        await bus.PublishAsync([letter with { Body = default, Headers = letter.Headers.RemoveRange(0, ownHeaders) }], cancellationToken);
    }

    /// <summary>NATS delivers headers that its own clients refuse to send: a name must be visible ASCII, and a value one line.</summary>
    private static bool CanBeSent(KeyValuePair<string, string> header) =>
        !header.Key.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase)
        && header.Key.Length > 0
        && header.Key.All(static it => it is > ' ' and <= '~' and not ':')
        && !header.Value.Any(static it => it is '\r' or '\n');

    /// <summary>Replaces control characters, because a header value must fit on one line.</summary>
    private static string OneLine(string text)
    {
        var line = string.Create(
            Math.Min(text.Length, LongestReason),
            text,
            static (to, from) =>
            {
                for (var i = 0; i < to.Length; i++)
                {
                    to[i] = char.IsControl(from[i]) ? ' ' : from[i];
                }
            }
        );
        return line.Length > 0 && char.IsHighSurrogate(line[^1]) ? line[..^1] : line;
    }

    private static FaultException Unknown(long sequence) =>
        new(
            FaultCodes.UnknownMessage,
            $"there is no dead letter {sequence}",
            "list the dead letters with: agent-executor dead-letters list"
        );
}
