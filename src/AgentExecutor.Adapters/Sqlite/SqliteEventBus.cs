using System.Collections.Immutable;
using AgentExecutor.Core;
using AgentExecutor.Core.Messaging;
using Microsoft.Data.Sqlite;

namespace AgentExecutor.Adapters.Sqlite;

/// <summary>The bus as a table of the embedded store, for where nothing is installed. It shares the store's file and writer, and is of no use once that is closed.</summary>
internal sealed class SqliteEventBus(SqliteAccess access, BusSettings settings) : IEventBus
{
    private const string Columns = "sequence, stream, published_at, subject, message_id, headers, attempts, body";

    private static readonly TimeSpan Poll = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan SweepPause = TimeSpan.FromMinutes(1);

    private readonly TimeSpan _ackWait = TimeSpan.FromSeconds(settings.AckWaitSeconds);
    private long _swept = access.Time.GetTimestamp();

    /// <summary>Ids are known for as long as the message is kept.</summary>
    public TimeSpan DuplicateWindow => TimeSpan.FromHours(Math.Min(settings.JobHours, Math.Min(settings.ResultHours, settings.DeadLetterHours)));

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
                    database.Run(
                        """
                        INSERT INTO messages (stream, message_id, subject, headers, body, published_at, due_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
                        ON CONFLICT (stream, message_id) WHERE message_id <> '' DO NOTHING
                        """,
                        SqliteCommit.Name(stream), message.Id, message.Subject, HeaderJson.Write(message.Headers), message.Body, now, stream == BusStream.Jobs ? now : null);
                }
                return true;
            },
            cancellationToken);
        if (streams.Contains(BusStream.Jobs))
        {
            access.Messages.Give();
        }
    }

    public async ValueTask<ImmutableArray<IDelivery>> FetchAsync(int atMost, TimeSpan wait, CancellationToken cancellationToken)
    {
        await SweepAsync(cancellationToken);
        for (var started = access.Time.GetTimestamp(); ;)
        {
            var published = access.Messages.Next; // before the look, so that nothing comes unseen
            var next = UntilDue();
            var taken = next <= TimeSpan.Zero ? await WriteAsync(database => Take(database, atMost), cancellationToken) : [];
            var left = wait - access.Time.GetElapsedTime(started);
            if (taken.Length > 0 || left <= TimeSpan.Zero)
            {
                return taken;
            }
            await WaitAsync(published, next <= TimeSpan.Zero || left < next ? left : next, cancellationToken);
        }
    }

    public ValueTask<ImmutableArray<StoredMessage>> ReadAsync(BusQuery query, CancellationToken cancellationToken) => ValueTask.FromResult(Read(database =>
    {
        using var row = database.Query(
            $"""
            SELECT {(query.HasBodies ? Columns : Columns.Replace("body", "x''", StringComparison.Ordinal))} FROM messages
            WHERE stream = $1 AND sequence > $2 AND published_at >= $3 ORDER BY sequence LIMIT $4
            """, SqliteCommit.Name(query.Stream), query.After, query.Since?.ToUnixTimeMilliseconds() ?? 0, query.AtMost);
        return ReadAll(row).Select(it => it.Message).ToImmutableArray();
    }));

    public ValueTask<bool> DeleteAsync(BusStream stream, long sequence, CancellationToken cancellationToken) => WriteAsync(
        database => database.Run("DELETE FROM messages WHERE stream = $1 AND sequence = $2", SqliteCommit.Name(stream), sequence) > 0, cancellationToken);

    /// <summary>The file is the store's to close.</summary>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <summary>Only reads: with nothing to take, the writer is not asked.</summary>
    private TimeSpan UntilDue() => Read(database => database.Scalar("SELECT min(due_at) FROM messages WHERE due_at IS NOT NULL") is long due
        ? TimeSpan.FromMilliseconds(due - access.Now)
        : TimeSpan.MaxValue);

    private ImmutableArray<IDelivery> Take(SqliteStatements database, int atMost)
    {
        var now = access.Now;
        List<(StoredMessage Message, int Attempts)> due;
        using (var row = database.Query($"SELECT {Columns} FROM messages WHERE due_at <= $1 ORDER BY due_at, sequence LIMIT $2", now, atMost))
        {
            due = ReadAll(row);
        }
        foreach (var (message, attempts) in due)
        {
            database.Run(
                "UPDATE messages SET attempts = $2, due_at = $3 WHERE sequence = $1", message.Sequence, attempts + 1, now + (long)_ackWait.TotalMilliseconds);
        }
        return [.. due.OrderBy(it => it.Message.Sequence).Select(it => (IDelivery)new Delivery(this, it.Message, it.Attempts + 1))];
    }

    /// <summary>Until something changes, or so long; a poll stands behind it for other processes that publish.</summary>
    private async Task WaitAsync(Task published, TimeSpan atMost, CancellationToken cancellationToken)
    {
        try
        {
            await published.WaitAsync(atMost < Poll ? atMost : Poll, access.Time, cancellationToken);
        }
        catch (TimeoutException)
        {
            // time to look again
        }
    }

    /// <summary>Drops what is older than its stream keeps, now and then and not all at once.</summary>
    private async Task SweepAsync(CancellationToken cancellationToken)
    {
        if (access.Time.GetElapsedTime(Interlocked.Read(ref _swept)) < SweepPause)
        {
            return;
        }
        Interlocked.Exchange(ref _swept, access.Time.GetTimestamp());
        await WriteAsync(
            database =>
            {
                foreach (var (stream, hours) in ((BusStream, double)[])
                    [(BusStream.Jobs, settings.JobHours), (BusStream.Results, settings.ResultHours), (BusStream.DeadLetters, settings.DeadLetterHours)])
                {
                    database.Run(
                        """
                        DELETE FROM messages WHERE sequence IN (
                            SELECT sequence FROM messages WHERE stream = $1 AND published_at < $2 ORDER BY published_at LIMIT 20000)
                        """, SqliteCommit.Name(stream), access.Now - (long)TimeSpan.FromHours(hours).TotalMilliseconds);
                }
                return true;
            },
            cancellationToken);
    }

    /// <param name="dueIn">When it is to be delivered again; null for never.</param>
    private async ValueTask SettleAsync(Delivery delivery, TimeSpan? dueIn, CancellationToken cancellationToken)
    {
        await WriteAsync(
            database => database.Run(
                "UPDATE messages SET due_at = $3 WHERE sequence = $1 AND attempts = $2 AND due_at IS NOT NULL",
                delivery.Message.Sequence, delivery.Attempt, dueIn is { } wait ? access.Now + (long)wait.TotalMilliseconds : null),
            cancellationToken);
        if (dueIn < _ackWait)
        {
            access.Messages.Give(); // sooner than those who wait expect
        }
    }

    private async ValueTask<T> WriteAsync<T>(Func<SqliteStatements, T> job, CancellationToken cancellationToken)
    {
        try
        {
            return await access.WriteAsync(job, cancellationToken);
        }
        catch (FaultException fault) when (fault.Code == FaultCodes.StoreUnavailable)
        {
            throw Away(fault);
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
            throw Away(fault);
        }
    }

    private static FaultException Away(FaultException fault) => new(FaultCodes.BusUnavailable, fault.Message, fault.Hint, fault);

    private static List<(StoredMessage Message, int Attempts)> ReadAll(SqliteDataReader row)
    {
        var read = new List<(StoredMessage, int)>();
        while (row.Read())
        {
            var stream = Enum.Parse<BusStream>(row.GetString(1), ignoreCase: true);
            var message = new StoredMessage(stream, row.GetInt64(0), DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(2)), row.GetString(3), row.GetFieldValue<byte[]>(7))
            {
                Id = row.GetString(4),
                Headers = HeaderJson.Read(row.GetString(5)),
            };
            read.Add((message, row.GetInt32(6)));
        }
        return read;
    }

    private sealed class Delivery(SqliteEventBus bus, StoredMessage message, int attempt) : IDelivery
    {
        public StoredMessage Message => message;

        public int Attempt => attempt;

        public ValueTask AckAsync(CancellationToken cancellationToken) => bus.SettleAsync(this, null, cancellationToken);

        public ValueTask NakAsync(TimeSpan delay, CancellationToken cancellationToken) => bus.SettleAsync(this, delay, cancellationToken);

        public ValueTask TermAsync(string reason, CancellationToken cancellationToken) => AckAsync(cancellationToken);

        public ValueTask InProgressAsync(CancellationToken cancellationToken) => bus.SettleAsync(this, bus._ackWait, cancellationToken);
    }
}
