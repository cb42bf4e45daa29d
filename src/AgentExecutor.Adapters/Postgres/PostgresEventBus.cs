using System.Collections.Immutable;
using AgentExecutor.Core;
using AgentExecutor.Core.Messaging;
using Npgsql;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>The bus as a table, for where PostgreSQL is the only server. Publishers of a stream follow each other, so that readers never see a later message first.</summary>
internal sealed class PostgresEventBus(PostgresAccess access, string schema, BusSettings settings) : IEventBus
{
    private const string Columns = "sequence, stream, published_at, subject, message_id, headers, body, attempts";

    private static readonly TimeSpan Poll = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan SweepPause = TimeSpan.FromMinutes(1);

    private readonly PostgresListener _listener = new(access, $"{schema}_jobs");
    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _closing = new();
    private Task _published = Task.CompletedTask;
    private long _swept = access.Time.GetTimestamp();

    /// <summary>Ids are known for as long as the message is kept.</summary>
    public TimeSpan DuplicateWindow => TimeSpan.FromHours(Math.Min(settings.JobHours, Math.Min(settings.ResultHours, settings.DeadLetterHours)));

    public bool IsConnected => !access.IsAway;

    public int MaxBodyBytes => 256 * 1024 * 1024;

    public async ValueTask PublishAsync(ImmutableArray<BusMessage> messages, CancellationToken cancellationToken)
    {
        var streams = messages.Select(message => PostgresRows.Name(BusSubjects.StreamOf(message.Subject))).ToArray();
        await RunAsync(
            async (connection, cancel) =>
            {
                await using var batch = new NpgsqlBatch(connection)
                {
                    BatchCommands =
                    {
                        PostgresCommands.BatchCommand(
                            "SELECT pg_advisory_xact_lock(hashtextextended('agent_executor_messages:' || current_schema() || s, 0))::text FROM unnest($1::text[]) AS s",
                            (object)streams.Distinct().Order(StringComparer.Ordinal).ToArray()),
                        PostgresCommands.BatchCommand(
                            """
                            WITH m AS (
                                INSERT INTO messages (stream, message_id, subject, headers, body)
                                SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bytea[])
                                ON CONFLICT (stream, message_id) WHERE message_id <> '' DO NOTHING RETURNING stream)
                            SELECT pg_notify(current_schema() || '_jobs', '')::text FROM m WHERE stream = 'jobs' LIMIT 1
                            """,
                            streams, messages.Select(it => it.Id).ToArray(), messages.Select(it => it.Subject).ToArray(),
                            messages.Select(it => HeaderJson.Write(it.Headers)).ToArray(), messages.Select(it => it.Body.ToArray()).ToArray()),
                    },
                };
                return await batch.ExecuteNonQueryAsync(cancel);
            },
            cancellationToken);
    }

    public async ValueTask<ImmutableArray<IDelivery>> FetchAsync(int atMost, TimeSpan wait, CancellationToken cancellationToken)
    {
        await SweepAsync(cancellationToken);
        for (var started = access.Time.GetTimestamp(); ;)
        {
            var published = Listen(); // before the look: what is published meanwhile is heard
            var taken = await TakeAsync(atMost, cancellationToken);
            var left = wait - access.Time.GetElapsedTime(started);
            if (taken.Length > 0 || left <= TimeSpan.Zero)
            {
                return taken;
            }
            await WaitAsync(published, left < Poll ? left : Poll, cancellationToken);
        }
    }

    public async ValueTask<ImmutableArray<StoredMessage>> ReadAsync(BusQuery query, CancellationToken cancellationToken) => await RunAsync(
        async (connection, cancel) =>
        {
            await using var command = connection.With(
                $"""
                SELECT {(query.HasBodies ? Columns : Columns.Replace("body", "''::bytea", StringComparison.Ordinal))} FROM messages
                WHERE stream = $1 AND sequence > $2 AND published_at >= $3 ORDER BY sequence LIMIT $4
                """, PostgresRows.Name(query.Stream), query.After, query.Since?.UtcDateTime ?? DateTime.UnixEpoch, (long)query.AtMost);
            return (await ReadAsync(command, cancel)).ConvertAll(it => it.Message).ToImmutableArray();
        },
        cancellationToken);

    public async ValueTask<bool> DeleteAsync(BusStream stream, long sequence, CancellationToken cancellationToken) => await RunAsync(
        (connection, cancel) => connection.RunAsync("DELETE FROM messages WHERE stream = $1 AND sequence = $2", [PostgresRows.Name(stream), sequence], cancel),
        cancellationToken) > 0;

    public async ValueTask DisposeAsync()
    {
        await _closing.CancelAsync();
        await _published.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _closing.Dispose();
        await access.DisposeAsync();
    }

    private async Task<ImmutableArray<IDelivery>> TakeAsync(int atMost, CancellationToken cancellationToken) => await RunAsync(
        async (connection, cancel) =>
        {
            await using var command = connection.With(
                $"""
                UPDATE messages SET attempts = attempts + 1, due_at = now() + $2 * interval '1 second'
                WHERE sequence = ANY (ARRAY (
                    SELECT sequence FROM messages WHERE stream = 'jobs' AND NOT is_done AND due_at <= now() ORDER BY due_at, sequence LIMIT $1 FOR UPDATE SKIP LOCKED))
                RETURNING {Columns}
                """, (long)atMost, settings.AckWaitSeconds);
            var taken = await ReadAsync(command, cancel);
            taken.Sort(static (a, b) => a.Message.Sequence.CompareTo(b.Message.Sequence));
            return ImmutableArray.CreateRange<IDelivery>(taken.Select(it => new Delivery(this, it.Message, it.Attempts)));
        },
        cancellationToken);

    /// <summary>Until a job is published, or so long; a job that is due again comes without a notification.</summary>
    private async Task WaitAsync(Task published, TimeSpan atMost, CancellationToken cancellationToken)
    {
        try
        {
            await published.WaitAsync(atMost, access.Time, cancellationToken);
        }
        catch (TimeoutException)
        {
            // it goes on listening for whoever waits next
        }
        catch (FaultException fault)
        {
            throw Away(fault);
        }
    }

    /// <summary>One connection listens for all who wait.</summary>
    private Task Listen()
    {
        lock (_gate)
        {
            return _published = _published.IsCompleted ? _listener.WaitAsync(_closing.Token) : _published;
        }
    }

    /// <summary>Drops what is older than its stream keeps, now and then and not all at once.</summary>
    private async Task SweepAsync(CancellationToken cancellationToken)
    {
        if (access.Time.GetElapsedTime(_swept) < SweepPause)
        {
            return;
        }
        _swept = access.Time.GetTimestamp();
        const int Batch = 1_000;
        for (var dropped = Batch; dropped >= Batch;)
        {
            dropped = await DropAsync(cancellationToken);
        }
    }

    private async Task<int> DropAsync(CancellationToken cancellationToken) => await RunAsync(
        (connection, cancel) => connection.RunAsync(
            """
            DELETE FROM messages WHERE sequence = ANY (ARRAY (
                SELECT m.sequence FROM (VALUES ('jobs', $1), ('results', $2), ('deadletters', $3)) AS s (stream, hours)
                CROSS JOIN LATERAL (
                    SELECT sequence FROM messages WHERE messages.stream = s.stream AND published_at < now() - s.hours * interval '1 hour'
                    ORDER BY published_at LIMIT 1000 FOR UPDATE SKIP LOCKED) AS m))
            """, [settings.JobHours, settings.ResultHours, settings.DeadLetterHours], cancel),
        cancellationToken);

    private async ValueTask SettleAsync(Delivery delivery, string change, double seconds, CancellationToken cancellationToken) => await RunAsync(
        (connection, cancel) => connection.RunAsync(
            $"UPDATE messages SET {change} WHERE sequence = $1 AND attempts = $2 AND NOT is_done AND $3 >= 0", [delivery.Message.Sequence, delivery.Attempt, seconds], cancel),
        cancellationToken);

    private async Task<T> RunAsync<T>(Func<NpgsqlConnection, CancellationToken, Task<T>> use, CancellationToken cancellationToken)
    {
        try
        {
            return await access.RunAsync(use, cancellationToken, TimeSpan.Zero);
        }
        catch (FaultException fault) when (fault.Code == FaultCodes.StoreUnavailable)
        {
            throw Away(fault);
        }
    }

    private static FaultException Away(FaultException fault) => new(FaultCodes.BusUnavailable, fault.Message, fault.Hint, fault);

    private static async Task<List<(StoredMessage Message, int Attempts)>> ReadAsync(NpgsqlCommand command, CancellationToken cancellationToken)
    {
        var read = new List<(StoredMessage, int)>();
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        while (await row.ReadAsync(cancellationToken))
        {
            var stream = Enum.Parse<BusStream>(row.GetString(1), ignoreCase: true);
            var message = new StoredMessage(stream, row.GetInt64(0), row.GetFieldValue<DateTime>(2), row.GetString(3), row.GetFieldValue<byte[]>(6))
            {
                Id = row.GetString(4),
                Headers = HeaderJson.Read(row.GetString(5)),
            };
            read.Add((message, row.GetInt32(7)));
        }
        return read;
    }

    private sealed class Delivery(PostgresEventBus bus, StoredMessage message, int attempt) : IDelivery
    {
        public StoredMessage Message => message;

        public int Attempt => attempt;

        public ValueTask AckAsync(CancellationToken cancellationToken) => bus.SettleAsync(this, "is_done = true", 0, cancellationToken);

        public ValueTask NakAsync(TimeSpan delay, CancellationToken cancellationToken) =>
            bus.SettleAsync(this, "due_at = now() + $3 * interval '1 second'", delay.TotalSeconds, cancellationToken);

        public ValueTask TermAsync(string reason, CancellationToken cancellationToken) => AckAsync(cancellationToken);

        public ValueTask InProgressAsync(CancellationToken cancellationToken) =>
            NakAsync(TimeSpan.FromSeconds(bus.AckWaitSeconds), cancellationToken);
    }

    private double AckWaitSeconds { get; } = settings.AckWaitSeconds;
}
