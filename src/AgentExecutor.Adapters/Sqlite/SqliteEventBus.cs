using System.Collections.Immutable;
using AgentExecutor.Core;
using AgentExecutor.Core.Messaging;

namespace AgentExecutor.Adapters.Sqlite;

/// <summary>
/// A bus in a table of the embedded store, for installations without servers. It uses the file and the writer of the store, which closes
/// them.
/// </summary>
internal sealed class SqliteEventBus(SqliteAccess access, BusSettings settings) : IEventBus
{
    private const string Columns = "sequence, stream, published_at, subject, message_id, headers, attempts, body";

    private const string Due = $"SELECT {Columns} FROM messages WHERE due_at <= $1 AND stream = $3 ORDER BY due_at, sequence LIMIT $2";

    private const string Settle = "UPDATE messages SET due_at = $3 WHERE sequence = $1 AND attempts = $2 AND due_at IS NOT NULL";

    private const string DropExpired = """
        DELETE FROM messages WHERE sequence IN (
            SELECT sequence FROM messages
            WHERE stream = $1 AND published_at < $2
            ORDER BY published_at LIMIT 20000)
        """;

    private static readonly SqliteStatement<MessageRow> Insert = new(
        """
        INSERT INTO messages ($columns) VALUES ($values)
        ON CONFLICT (stream, message_id) WHERE message_id <> '' DO NOTHING
        """,
        new("stream", it => SqliteRows.Name(it.Stream)),
        new("message_id", it => it.Message.Id),
        new("subject", it => it.Message.Subject),
        new("headers", it => HeaderJson.Write(it.Message.Headers)),
        new("body", it => it.Message.Body),
        new("published_at", it => it.Now),
        new("due_at", it => it.Stream is BusStream.Jobs or BusStream.Inbox ? it.Now : null)
    );

    private static readonly TimeSpan Poll = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan DropInterval = TimeSpan.FromMinutes(1);

    private long _lastDrop = access.Time.GetTimestamp();

    /// <summary>Duplicates are detected for as long as a message is stored.</summary>
    public TimeSpan DuplicateWindow =>
        TimeSpan.FromHours(new[] { settings.JobHours, settings.ResultHours, settings.DeadLetterHours, settings.ToolHours }.Min());

    public TimeSpan AckWait { get; } = TimeSpan.FromSeconds(settings.AckWaitSeconds);

    public bool IsConnected => true;

    public int MaxBodyBytes => 256 * 1024 * 1024;

    public async ValueTask PublishAsync(ImmutableArray<BusMessage> messages, CancellationToken cancellationToken)
    {
        var streams = messages.Select(message => BusSubjects.StreamOf(message.Subject)).ToList();
        await WriteAsync(
            database =>
            {
                var now = access.Now;
                foreach (var (message, stream) in messages.Zip(streams))
                {
                    database.Run(Insert, new MessageRow(message, stream, now));
                }
                return true;
            },
            cancellationToken
        );
        if (streams.Contains(BusStream.Jobs) || streams.Contains(BusStream.Inbox))
        {
            access.Messages.Set();
        }
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
            // Is read before the query, so that no notification is missed.
            var published = access.Messages.Next;
            var next = UntilDue(stream);
            var taken = next <= TimeSpan.Zero ? await WriteAsync(database => Take(database, stream, atMost), cancellationToken) : [];
            var left = wait - access.Time.GetElapsedTime(started);
            if (taken.Length > 0 || left <= TimeSpan.Zero)
            {
                return taken;
            }
            await WaitAsync(published, next <= TimeSpan.Zero || left < next ? left : next, cancellationToken);
        }
    }

    public ValueTask AckAsync(ImmutableArray<IDelivery> deliveries, CancellationToken cancellationToken) =>
        SettleAsync(deliveries, null, cancellationToken);

    public ValueTask InProgressAsync(ImmutableArray<IDelivery> deliveries, CancellationToken cancellationToken) =>
        SettleAsync(deliveries, AckWait, cancellationToken);

    public ValueTask<ImmutableArray<StoredMessage>> ReadAsync(BusQuery query, CancellationToken cancellationToken) =>
        ValueTask.FromResult(
            Read(database =>
            {
                var columns = query.HasBodies ? Columns : Columns.Replace("body", "x'' AS body", StringComparison.Ordinal);
                using var row = database.Query(
                    $"""
                    SELECT {columns}
                    FROM messages
                    WHERE stream = $1 AND sequence > $2 AND published_at >= $3
                    ORDER BY sequence LIMIT $4
                    """,
                    SqliteRows.Name(query.Stream),
                    query.After,
                    query.Since?.ToUnixTimeMilliseconds() ?? 0,
                    query.AtMost
                );
                return ReadAll(row).Select(it => it.Message).ToImmutableArray();
            })
        );

    public ValueTask<bool> DeleteAsync(BusStream stream, long sequence, CancellationToken cancellationToken) =>
        WriteAsync(
            database => database.Run("DELETE FROM messages WHERE stream = $1 AND sequence = $2", SqliteRows.Name(stream), sequence) > 0,
            cancellationToken
        );

    /// <summary>Does nothing, because the store closes the file.</summary>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <summary>Returns when the next message is due. It only reads, so that an idle bus does not occupy the writer.</summary>
    private TimeSpan UntilDue(BusStream stream) =>
        Read(database =>
            database.Scalar("SELECT min(due_at) FROM messages WHERE due_at IS NOT NULL AND stream = $1", SqliteRows.Name(stream))
                is long due
                ? TimeSpan.FromMilliseconds(due - access.Now)
                : TimeSpan.MaxValue
        );

    private ImmutableArray<IDelivery> Take(SqliteStatements database, BusStream stream, int atMost)
    {
        var now = access.Now;
        List<(StoredMessage Message, int Attempts)> due;
        using (var row = database.Query(Due, now, atMost, SqliteRows.Name(stream)))
        {
            due = ReadAll(row);
        }
        foreach (var (message, attempts) in due)
        {
            database.Run(
                "UPDATE messages SET attempts = $2, due_at = $3 WHERE sequence = $1",
                message.Sequence,
                attempts + 1,
                now + (long)AckWait.TotalMilliseconds
            );
        }
        return [.. due.OrderBy(it => it.Message.Sequence).Select(it => (IDelivery)new Delivery(this, it.Message, it.Attempts + 1))];
    }

    /// <summary>
    /// Waits until a message may be due or the timeout has elapsed. It returns after <see cref="Poll"/> at the latest, because another
    /// process may have published a message.
    /// </summary>
    private async Task WaitAsync(Task published, TimeSpan atMost, CancellationToken cancellationToken)
    {
        try
        {
            await published.WaitAsync(atMost < Poll ? atMost : Poll, access.Time, cancellationToken);
        }
        catch (TimeoutException)
        {
            // The caller queries again.
        }
    }

    /// <summary>Deletes messages that have exceeded the retention time of their stream, at an interval and in batches.</summary>
    private async Task DropExpiredAsync(CancellationToken cancellationToken)
    {
        if (access.Time.GetElapsedTime(Interlocked.Read(ref _lastDrop)) < DropInterval)
        {
            return;
        }
        Interlocked.Exchange(ref _lastDrop, access.Time.GetTimestamp());
        await WriteAsync(
            database =>
            {
                foreach (
                    var (stream, hours) in ((BusStream, double)[])
                        [
                            (BusStream.Jobs, settings.JobHours),
                            (BusStream.Results, settings.ResultHours),
                            (BusStream.DeadLetters, settings.DeadLetterHours),
                            (BusStream.ToolRequests, settings.ToolHours),
                            (BusStream.Inbox, settings.ToolHours),
                        ]
                )
                {
                    database.Run(DropExpired, SqliteRows.Name(stream), access.Now - (long)TimeSpan.FromHours(hours).TotalMilliseconds);
                }
                return true;
            },
            cancellationToken
        );
    }

    /// <param name="deliveries">
    /// The deliveries. Those that were settled before, or whose messages were delivered again, are skipped.
    /// </param>
    /// <param name="dueIn">After which time the messages are delivered again, or null for never.</param>
    private async ValueTask SettleAsync(ImmutableArray<IDelivery> deliveries, TimeSpan? dueIn, CancellationToken cancellationToken)
    {
        await WriteAsync(
            database =>
            {
                var dueAt = dueIn is { } wait ? access.Now + (long)wait.TotalMilliseconds : (long?)null;
                foreach (var delivery in deliveries)
                {
                    database.Run(Settle, delivery.Message.Sequence, delivery.Attempt, dueAt);
                }
                return true;
            },
            cancellationToken
        );
        if (dueIn < AckWait)
        {
            // The messages are due earlier than the callers that wait expect.
            access.Messages.Set();
        }
    }

    private async ValueTask<T> WriteAsync<T>(Func<SqliteStatements, T> write, CancellationToken cancellationToken)
    {
        try
        {
            return await access.WriteAsync(write, cancellationToken);
        }
        catch (FaultException fault) when (fault.Code == FaultCodes.StoreUnavailable)
        {
            throw Unavailable(fault);
        }
    }

    private T Read<T>(Func<SqliteStatements, T> read)
    {
        try
        {
            return access.Read(read);
        }
        catch (FaultException fault) when (fault.Code == FaultCodes.StoreUnavailable)
        {
            throw Unavailable(fault);
        }
    }

    private static FaultException Unavailable(FaultException fault) => new(FaultCodes.BusUnavailable, fault.Message, fault.Hint, fault);

    private static List<(StoredMessage Message, int Attempts)> ReadAll(SqliteRowReader row)
    {
        var read = new List<(StoredMessage, int)>();
        while (row.Read())
        {
            read.Add((ReadMessage(row), row.Integer("attempts")));
        }
        return read;
    }

    private static StoredMessage ReadMessage(SqliteRowReader row) =>
        new(
            Enum.Parse<BusStream>(row.Text("stream"), ignoreCase: true),
            row.Number("sequence"),
            row.UnixTime("published_at"),
            row.Text("subject"),
            row.Bytes("body")
        )
        {
            Id = row.Text("message_id"),
            Headers = HeaderJson.Read(row.Text("headers")),
        };

    private readonly record struct MessageRow(BusMessage Message, BusStream Stream, long Now);

    private sealed class Delivery(SqliteEventBus bus, StoredMessage message, int attempt) : IDelivery
    {
        public StoredMessage Message => message;

        public int Attempt => attempt;

        public ValueTask AckAsync(CancellationToken cancellationToken) => bus.SettleAsync([this], null, cancellationToken);

        public ValueTask NakAsync(TimeSpan delay, CancellationToken cancellationToken) => bus.SettleAsync([this], delay, cancellationToken);

        public ValueTask TermAsync(string reason, CancellationToken cancellationToken) => AckAsync(cancellationToken);

        public ValueTask InProgressAsync(CancellationToken cancellationToken) => bus.SettleAsync([this], bus.AckWait, cancellationToken);
    }
}
