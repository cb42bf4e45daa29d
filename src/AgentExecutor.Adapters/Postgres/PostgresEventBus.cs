using System.Collections.Immutable;
using AgentExecutor.Core;
using AgentExecutor.Core.Messaging;
using Npgsql;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>
/// A bus in a table, for installations in which PostgreSQL is the only server. Concurrent publishers of a stream exclude each other, so
/// that readers never see a later message before an earlier one.
/// </summary>
internal sealed class PostgresEventBus(PostgresAccess access, BusSettings settings) : IEventBus
{
    private const string Columns = "sequence, stream, published_at, subject, message_id, headers, body, attempts";

    private const string Done = "is_done = true";
    private const string DueAgain = "due_at = now() + $1 * interval '1 second'";

    private const string LockStreams = """
        SELECT pg_advisory_xact_lock(hashtextextended('agent_executor_messages:$schema' || s, 0))::text
        FROM unnest($1::text[]) AS s
        """;

    private static readonly string Insert = $"""
        WITH m AS (
            INSERT INTO $schema.messages (stream, message_id, subject, headers, body)
            SELECT * FROM {MessageRows.Table.As("m")}
            ON CONFLICT (stream, message_id) WHERE message_id <> '' DO NOTHING
            RETURNING stream)
        SELECT pg_notify('$schema_jobs', '')::text FROM m WHERE stream IN ('jobs', 'inbox') LIMIT 1
        """;

    /// <summary>Each stream of deliveries has an index of its own, so the name of the stream is part of the statement.</summary>
    private const string Take = $"""
        UPDATE $schema.messages SET attempts = attempts + 1, due_at = now() + $2 * interval '1 second'
        WHERE sequence = ANY (ARRAY (
            SELECT sequence FROM $schema.messages
            WHERE stream = '$stream' AND NOT is_done AND due_at <= now()
            ORDER BY due_at, sequence LIMIT $1 FOR UPDATE SKIP LOCKED))
        RETURNING {Columns}
        """;

    private const string DropExpired = """
        DELETE FROM $schema.messages WHERE sequence = ANY (ARRAY (
            SELECT m.sequence
            FROM (VALUES ('jobs', $1), ('results', $2), ('deadletters', $3), ('toolrequests', $4), ('inbox', $4)) AS s (stream, hours)
            CROSS JOIN LATERAL (
                SELECT sequence FROM $schema.messages
                WHERE messages.stream = s.stream AND published_at < now() - s.hours * interval '1 hour'
                ORDER BY published_at LIMIT 1000 FOR UPDATE SKIP LOCKED) AS m))
        """;

    private static readonly TimeSpan Poll = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan DropInterval = TimeSpan.FromMinutes(1);

    private readonly PostgresListener _listener = new(access, "jobs");
    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _closing = new();
    private Task _published = Task.CompletedTask;
    private long _lastDrop = access.Time.GetTimestamp();

    /// <summary>Duplicates are detected for as long as a message is stored.</summary>
    public TimeSpan DuplicateWindow =>
        TimeSpan.FromHours(new[] { settings.JobHours, settings.ResultHours, settings.DeadLetterHours, settings.ToolHours }.Min());

    public TimeSpan AckWait { get; } = TimeSpan.FromSeconds(settings.AckWaitSeconds);

    public bool IsConnected => !access.IsUnavailable;

    public int MaxBodyBytes => 256 * 1024 * 1024;

    public async ValueTask PublishAsync(ImmutableArray<BusMessage> messages, CancellationToken cancellationToken)
    {
        var streams = messages
            .Select(message => PostgresRows.Name(BusSubjects.StreamOf(message.Subject)))
            .Distinct()
            .Order(StringComparer.Ordinal)
            .ToArray();
        await RunAsync(
            async (connection, cancel) =>
            {
                await using var batch = connection.Batch(
                    PostgresCommands.BatchCommand(LockStreams, (object)streams),
                    PostgresCommands.BatchCommand(Insert, [.. MessageRows.Table.Parameters(messages)])
                );
                return await batch.ExecuteNonQueryAsync(cancel);
            },
            cancellationToken
        );
    }

    public ValueTask<ImmutableArray<IDelivery>> FetchAsync(int atMost, TimeSpan wait, CancellationToken cancellationToken) =>
        FetchAsync(BusStream.Jobs, atMost, wait, cancellationToken);

    public ValueTask<ImmutableArray<IDelivery>> FetchInboxAsync(int atMost, TimeSpan wait, CancellationToken cancellationToken) =>
        FetchAsync(BusStream.Inbox, atMost, wait, cancellationToken);

    /// <summary>Does nothing, because the table contains all streams.</summary>
    public ValueTask OpenInboxAsync(CancellationToken cancellationToken) => ValueTask.CompletedTask;

    private async ValueTask<ImmutableArray<IDelivery>> FetchAsync(
        BusStream stream,
        int atMost,
        TimeSpan wait,
        CancellationToken cancellationToken
    )
    {
        await DropExpiredAsync(cancellationToken);
        var started = access.Time.GetTimestamp();
        while (true)
        {
            // Starts listening before the query, so that no notification is missed.
            var published = Listen();
            var taken = await TakeAsync(stream, atMost, cancellationToken);
            var left = wait - access.Time.GetElapsedTime(started);
            if (taken.Length > 0 || left <= TimeSpan.Zero)
            {
                return taken;
            }
            await WaitAsync(published, left < Poll ? left : Poll, cancellationToken);
        }
    }

    public ValueTask AckAsync(ImmutableArray<IDelivery> deliveries, CancellationToken cancellationToken) =>
        SettleAsync(deliveries, Done, 0, cancellationToken);

    public ValueTask InProgressAsync(ImmutableArray<IDelivery> deliveries, CancellationToken cancellationToken) =>
        SettleAsync(deliveries, DueAgain, AckWait.TotalSeconds, cancellationToken);

    public async ValueTask<ImmutableArray<StoredMessage>> ReadAsync(BusQuery query, CancellationToken cancellationToken) =>
        await RunAsync(
            async (connection, cancel) =>
            {
                var columns = query.HasBodies ? Columns : Columns.Replace("body", "''::bytea AS body", StringComparison.Ordinal);
                await using var command = connection.With(
                    $"""
                    SELECT {columns}
                    FROM $schema.messages
                    WHERE stream = $1 AND sequence > $2 AND published_at >= $3
                    ORDER BY sequence LIMIT $4
                    """,
                    PostgresRows.Name(query.Stream),
                    query.After,
                    query.Since?.UtcDateTime ?? DateTime.UnixEpoch,
                    (long)query.AtMost
                );
                return (await ReadAsync(command, cancel)).ConvertAll(it => it.Message).ToImmutableArray();
            },
            cancellationToken
        );

    public async ValueTask<bool> DeleteAsync(BusStream stream, long sequence, CancellationToken cancellationToken) =>
        await RunAsync(
            (connection, cancel) =>
                connection.RunAsync(
                    "DELETE FROM $schema.messages WHERE stream = $1 AND sequence = $2",
                    [PostgresRows.Name(stream), sequence],
                    cancel
                ),
            cancellationToken
        ) > 0;

    public async ValueTask DisposeAsync()
    {
        await _closing.CancelAsync();
        await _published.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _closing.Dispose();
        await access.DisposeAsync();
    }

    private async Task<ImmutableArray<IDelivery>> TakeAsync(BusStream stream, int atMost, CancellationToken cancellationToken) =>
        await RunAsync(
            async (connection, cancel) =>
            {
                await using var command = connection.With(TakeFrom(stream), (long)atMost, AckWait.TotalSeconds);
                var taken = await ReadAsync(command, cancel);
                taken.Sort(static (a, b) => a.Message.Sequence.CompareTo(b.Message.Sequence));
                return ImmutableArray.CreateRange<IDelivery>(taken.Select(it => new Delivery(this, it.Message, it.Attempts)));
            },
            cancellationToken
        );

    private static string TakeFrom(BusStream stream) => Take.Replace("$stream", PostgresRows.Name(stream), StringComparison.Ordinal);

    /// <summary>Waits until a job is published or the timeout has elapsed. A job that becomes due again causes no notification.</summary>
    private async Task WaitAsync(Task published, TimeSpan timeout, CancellationToken cancellationToken)
    {
        try
        {
            await published.WaitAsync(timeout, access.Time, cancellationToken);
        }
        catch (TimeoutException)
        {
            // The listener continues for the next caller that waits.
        }
        catch (FaultException fault)
        {
            throw Unavailable(fault);
        }
    }

    /// <summary>One connection listens for all callers.</summary>
    private Task Listen()
    {
        lock (_gate)
        {
            return _published = _published.IsCompleted ? _listener.WaitAsync(_closing.Token) : _published;
        }
    }

    /// <summary>Deletes messages that have exceeded the retention time of their stream, at an interval and in batches.</summary>
    private async Task DropExpiredAsync(CancellationToken cancellationToken)
    {
        if (access.Time.GetElapsedTime(_lastDrop) < DropInterval)
        {
            return;
        }
        _lastDrop = access.Time.GetTimestamp();
        const int Batch = 1_000;
        var dropped = Batch;
        while (dropped >= Batch)
        {
            dropped = await DropAsync(cancellationToken);
        }
    }

    private async Task<int> DropAsync(CancellationToken cancellationToken) =>
        await RunAsync(
            (connection, cancel) =>
                connection.RunAsync(
                    DropExpired,
                    [settings.JobHours, settings.ResultHours, settings.DeadLetterHours, settings.ToolHours],
                    cancel
                ),
            cancellationToken
        );

    /// <summary>
    /// Updates deliveries in the order of their sequence numbers, so that concurrent updates of the same messages cannot deadlock.
    /// </summary>
    private async ValueTask SettleAsync(
        ImmutableArray<IDelivery> deliveries,
        string change,
        double seconds,
        CancellationToken cancellationToken
    )
    {
        var sorted = deliveries.OrderBy(static it => it.Message.Sequence).ToList();
        await RunAsync(
            (connection, cancel) =>
                connection.RunAsync(
                    $"""
                    WITH d AS MATERIALIZED (
                        SELECT m.sequence
                        FROM {DeliveryRows.Table.As("d", first: 2)}
                        JOIN $schema.messages AS m ON m.sequence = d.sequence AND m.attempts = d.attempts AND NOT m.is_done
                        ORDER BY m.sequence FOR UPDATE OF m)
                    UPDATE $schema.messages SET {change}
                    FROM d
                    WHERE messages.sequence = d.sequence AND $1 >= 0
                    """,
                    [seconds, .. DeliveryRows.Table.Parameters(sorted)],
                    cancel
                ),
            cancellationToken
        );
    }

    private async Task<T> RunAsync<T>(Func<PostgresConnection, CancellationToken, Task<T>> use, CancellationToken cancellationToken)
    {
        if (PostgresTransactionScope.Find(access.Source) is { } joined)
        {
            // A failure ends the whole transaction, and its owner repeats it.
            return await use(joined, cancellationToken);
        }
        try
        {
            return await access.RunAsync(use, cancellationToken, TimeSpan.Zero);
        }
        catch (FaultException fault) when (fault.Code == FaultCodes.StoreUnavailable)
        {
            throw Unavailable(fault);
        }
    }

    private static FaultException Unavailable(FaultException fault) => new(FaultCodes.BusUnavailable, fault.Message, fault.Hint, fault);

    private static async Task<List<(StoredMessage Message, int Attempts)>> ReadAsync(
        PostgresCommand command,
        CancellationToken cancellationToken
    )
    {
        var read = new List<(StoredMessage, int)>();
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        while (await row.ReadAsync(cancellationToken))
        {
            read.Add((ReadMessage(row), row.Integer("attempts")));
        }
        return read;
    }

    private static StoredMessage ReadMessage(NpgsqlDataReader row) =>
        new(
            Enum.Parse<BusStream>(row.Text("stream"), ignoreCase: true),
            row.Number("sequence"),
            row.Time("published_at"),
            row.Text("subject"),
            row.Bytes("body")
        )
        {
            Id = row.Text("message_id"),
            Headers = HeaderJson.Read(row.Text("headers")),
        };

    private sealed class Delivery(PostgresEventBus bus, StoredMessage message, int attempt) : IDelivery
    {
        public StoredMessage Message => message;

        public int Attempt => attempt;

        public ValueTask AckAsync(CancellationToken cancellationToken) => bus.SettleAsync([this], Done, 0, cancellationToken);

        public ValueTask NakAsync(TimeSpan delay, CancellationToken cancellationToken) =>
            bus.SettleAsync([this], DueAgain, delay.TotalSeconds, cancellationToken);

        public ValueTask TermAsync(string reason, CancellationToken cancellationToken) => AckAsync(cancellationToken);

        public ValueTask InProgressAsync(CancellationToken cancellationToken) => NakAsync(bus.AckWait, cancellationToken);
    }
}
