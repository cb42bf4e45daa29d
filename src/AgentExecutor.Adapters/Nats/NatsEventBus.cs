using System.Collections.Immutable;
using AgentExecutor.Core;
using AgentExecutor.Core.Messaging;
using Microsoft.Extensions.Logging;
using NATS.Client.Core;
using NATS.Client.JetStream;
using StoredMessage = AgentExecutor.Core.Messaging.StoredMessage;

namespace AgentExecutor.Adapters.Nats;

/// <summary>
/// The bus on JetStream: one stream for each kind of messages, and one durable pull consumer each for jobs and
/// answers that all workers share.
/// </summary>
internal sealed class NatsEventBus : IEventBus
{
    /// <summary>The number of bytes that are reserved for the headers of a message.</summary>
    private const int HeaderRoom = 8 * 1024;

    private static readonly TimeSpan MinExpiry = TimeSpan.FromMilliseconds(100);

    /// <summary>How often a reader looks whether this process has created the inbox.</summary>
    private static readonly TimeSpan InboxPoll = TimeSpan.FromMilliseconds(200);

    private readonly NatsLink _link;
    private readonly NatsMessages _messages;
    private readonly NatsStreamReader _reader;
    private readonly NatsStreams _streams;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;

    // The pull of jobs and, once it is used, that of the inbox.
    private JobPull? _pull;
    private JobPull? _inbox;
    private bool _hasReportedOthers;

    public NatsEventBus(NatsSettings settings, BusSettings bus, bool isClient, TimeProvider time, ILoggerFactory loggers)
    {
        _time = time;
        _logger = loggers.CreateLogger<NatsEventBus>();
        _link = new NatsLink(settings, time, loggers.CreateLogger<NatsLink>());
        _messages = new NatsMessages(_link.JetStream);
        _reader = new NatsStreamReader(_link.JetStream, _messages);
        _streams = new NatsStreams(_link, settings, bus, isClient, loggers.CreateLogger<NatsStreams>());
        _link.Disconnected += _streams.Invalidate;
        _link.BeforeMove = DrainAsync;
    }

    /// <summary>Returns the hosts and ports of the servers.</summary>
    public static string Describe(NatsSettings settings)
    {
        try
        {
            return string.Join(", ", NatsServerUrl.ParseAll(settings.Url.Value!).Select(static server => server.ToString()));
        }
        catch (FormatException exception)
        {
            throw new FaultException(
                "invalid_settings",
                exception.Message,
                "use nats://HOST:PORT, and separate several servers by commas",
                exception
            );
        }
    }

    public TimeSpan DuplicateWindow => _streams.DuplicateWindow;

    public TimeSpan AckWait => _streams.AckWait;

    /// <summary>False also for a server without JetStream or without the streams, because it neither accepts nor delivers jobs.</summary>
    public bool IsConnected => _link.IsOpen && _streams.AreFound;

    public int MaxBodyBytes => Math.Max(HeaderRoom, Math.Min(_link.MaxPayload, _streams.MaxMessageBytes) - HeaderRoom);

    public async ValueTask PublishAsync(ImmutableArray<BusMessage> messages, CancellationToken cancellationToken)
    {
        foreach (var message in messages)
        {
            BusSubjects.StreamOf(message.Subject);
        }
        var headers = messages.Select(NatsMessages.HeadersOf).ToList();
        await UseAsync(
            subject => messages.Any(message => message.Subject == subject),
            cancel => Task.WhenAll(messages.Select((message, i) => PublishAsync(message, headers[i], cancel))),
            cancellationToken
        );
    }

    public ValueTask<ImmutableArray<IDelivery>> FetchAsync(int atMost, TimeSpan wait, CancellationToken cancellationToken) =>
        FetchAsync(BusStream.Jobs, atMost, wait, cancellationToken);

    public async ValueTask<ImmutableArray<IDelivery>> FetchInboxAsync(int atMost, TimeSpan wait, CancellationToken cancellationToken)
    {
        if (!_streams.HasInbox)
        {
            await UseAsync(
                async cancel =>
                {
                    await _streams.FindInboxAsync(cancel);
                    return true;
                },
                cancellationToken
            );
        }
        var started = _time.GetTimestamp();
        while (!_streams.HasInbox)
        {
            if (_time.GetElapsedTime(started) >= wait)
            {
                return [];
            }
            await Task.Delay(InboxPoll, _time, cancellationToken);
        }
        return await FetchAsync(BusStream.Inbox, atMost, wait, cancellationToken);
    }

    public async ValueTask OpenInboxAsync(CancellationToken cancellationToken)
    {
        if (!_streams.HasInbox)
        {
            _streams.WantInbox();
            await UseAsync(static _ => Task.FromResult(true), cancellationToken);
        }
        if (!_streams.HasInbox)
        {
            throw new FaultException(
                FaultCodes.BusUnavailable,
                $"the streams AGENT_TOOLS and {WantedStreams.InboxStream}, or the consumer {WantedStreams.InboxConsumer}, are missing",
                "create them, or set NATS_MANAGE_STREAMS to true"
            );
        }
    }

    private async ValueTask<ImmutableArray<IDelivery>> FetchAsync(
        BusStream kind,
        int atMost,
        TimeSpan wait,
        CancellationToken cancellationToken
    )
    {
        using var limit = new CancellationTokenSource(wait, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        var started = _time.GetTimestamp();
        try
        {
            while (true)
            {
                var left = wait - _time.GetElapsedTime(started);
                var messages = await UseAsync(
                    subject => Open(kind)?.Uses(subject) == true,
                    cancel => Pull(kind).ReadAsync(atMost, left > MinExpiry ? left : MinExpiry, cancel),
                    either.Token
                );
                if (await DeliveriesOfAsync(kind, messages) is { IsEmpty: false } jobs)
                {
                    return jobs;
                }
                either.Token.ThrowIfCancellationRequested();
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // The pull request stays open, and the next call returns the messages that it still delivers.
            return [];
        }
        catch (OperationCanceledException)
        {
            await ReturnUnreadAsync(kind);
            throw;
        }
        catch (FaultException)
        {
            Open(kind)?.ForgetRequest();
            throw;
        }
    }

    public ValueTask AckAsync(ImmutableArray<IDelivery> deliveries, CancellationToken cancellationToken) =>
        SettleAsync(deliveries, static (message, cancel) => message.AckAsync(cancellationToken: cancel), cancellationToken);

    public ValueTask InProgressAsync(ImmutableArray<IDelivery> deliveries, CancellationToken cancellationToken) =>
        SettleAsync(deliveries, static (message, cancel) => message.AckProgressAsync(cancellationToken: cancel), cancellationToken);

    public async ValueTask<ImmutableArray<StoredMessage>> ReadAsync(BusQuery query, CancellationToken cancellationToken) =>
        await UseAsync(cancel => _reader.ReadAsync(_streams.StreamOf(query.Stream), query, cancel), cancellationToken);

    public async ValueTask<bool> DeleteAsync(BusStream stream, long sequence, CancellationToken cancellationToken) =>
        await UseAsync(cancel => _reader.DeleteAsync(_streams.StreamOf(stream).Name, (ulong)sequence, cancel), cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await ReturnUnreadAsync(BusStream.Jobs);
        await ReturnUnreadAsync(BusStream.Inbox);
        await _link.DisposeAsync();
        _streams.Dispose();
    }

    private async Task<bool> PublishAsync(BusMessage message, NatsHeaders? headers, CancellationToken cancellationToken)
    {
        var ack = await _link.JetStream.PublishAsync(
            message.Subject,
            message.Body,
            NatsRawSerializer<ReadOnlyMemory<byte>>.Default,
            headers: headers,
            cancellationToken: cancellationToken
        );
        return ack.Error is { } error ? throw new NatsJSApiException(error) : true;
    }

    private JobPull? Open(BusStream kind) => kind == BusStream.Inbox ? _inbox : _pull;

    private JobPull Pull(BusStream kind) =>
        kind == BusStream.Inbox
            ? _inbox ??= new JobPull(_link, _streams.StreamOf(kind).Name, WantedStreams.InboxConsumer, _time)
            : _pull ??= new JobPull(_link, _streams.StreamOf(kind).Name, _streams.Consumer, _time);

    private static bool IsOf(BusStream kind, string subject) =>
        kind == BusStream.Inbox
            ? subject == BusSubjects.ToolResults || subject.StartsWith(BusSubjects.Answers, StringComparison.Ordinal)
            : subject.StartsWith(BusSubjects.Jobs, StringComparison.Ordinal);

    /// <summary>
    /// Returns the jobs or answers among the messages. A consumer without a filter, on a stream that also has other subjects, delivers
    /// other messages too. These are acknowledged here, because they would otherwise be delivered again.
    /// </summary>
    private async Task<ImmutableArray<IDelivery>> DeliveriesOfAsync(BusStream kind, List<NatsMsg<byte[]>> messages)
    {
        var jobs = ImmutableArray.CreateBuilder<IDelivery>(messages.Count);
        foreach (var message in messages.Select(message => new NatsJSMsg<byte[]>(message, _link.JetStream)))
        {
            if (IsOf(kind, message.Subject) && message.Metadata is { } metadata)
            {
                var job = message.Error is null
                    ? NatsMessages.Of(kind, metadata, message)
                    : await UseAsync(cancel => _messages.RecoverAsync(kind, metadata, message, cancel), CancellationToken.None);
                jobs.Add(new Delivery(this, message, job, metadata.NumDelivered));
                continue;
            }
            if (!_hasReportedOthers)
            {
                _hasReportedOthers = true;
                var consumer = kind == BusStream.Inbox ? WantedStreams.InboxConsumer : _streams.Consumer;
                Log.NotAJob(_logger, consumer, message.Subject, string.Join(' ', WantedStreams.AllSubjectsOf(kind)));
            }
            await SendAsync(cancel => message.AckAsync(cancellationToken: cancel), CancellationToken.None);
        }
        return jobs.ToImmutable();
    }

    /// <summary>Ends the pull request before the connection moves to another server.</summary>
    private async Task DrainAsync()
    {
        try
        {
            await (_pull?.DrainAsync() ?? Task.CompletedTask);
            await (_inbox?.DrainAsync() ?? Task.CompletedTask);
        }
        catch (Exception exception) when (NatsFaults.IsFromNats(exception) || exception is OperationCanceledException)
        {
            // The server delivers the messages that did not arrive again, after the ack wait.
        }
    }

    /// <summary>Ends the pull request, and returns the messages to the server that were delivered but not read.</summary>
    private async Task ReturnUnreadAsync(BusStream kind)
    {
        var taken = kind == BusStream.Inbox ? Interlocked.Exchange(ref _inbox, null) : Interlocked.Exchange(ref _pull, null);
        if (taken is not { } pull)
        {
            return;
        }
        try
        {
            await using (pull)
            {
                foreach (var message in await pull.CloseAsync())
                {
                    await new NatsJSMsg<byte[]>(message, _link.JetStream).NakAsync();
                }
            }
        }
        catch (Exception exception) when (NatsFaults.IsFromNats(exception) || exception is OperationCanceledException)
        {
            // The server delivers them again after the ack wait.
        }
    }

    /// <summary>
    /// Sends an acknowledgement for each delivery. The server does not respond to them, so they are sent without waiting for each other.
    /// </summary>
    private async ValueTask SettleAsync(
        ImmutableArray<IDelivery> deliveries,
        Func<NatsJSMsg<byte[]>, CancellationToken, ValueTask> settle,
        CancellationToken cancellationToken
    ) =>
        await SendAsync(
            async cancel =>
            {
                foreach (var delivery in deliveries)
                {
                    await settle(((Delivery)delivery).Source, cancel);
                }
            },
            cancellationToken
        );

    private Task SendAsync(Func<CancellationToken, ValueTask> send, CancellationToken cancellationToken) =>
        RunAsync(() =>
            _link.UseAsync(
                static _ => false,
                async cancel =>
                {
                    await send(cancel);
                    return true;
                },
                cancellationToken
            )
        );

    /// <summary>Runs a call of the JetStream API that needs the streams.</summary>
    private Task<T> UseAsync<T>(Func<CancellationToken, Task<T>> use, CancellationToken cancellationToken) =>
        UseAsync(NatsLink.IsApi, use, cancellationToken);

    /// <summary>Runs a call that needs the streams.</summary>
    /// <param name="uses">Returns whether the call publishes to a subject.</param>
    /// <param name="use">The call.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    private Task<T> UseAsync<T>(Predicate<string> uses, Func<CancellationToken, Task<T>> use, CancellationToken cancellationToken) =>
        RunAsync(async () =>
        {
            await EnsureAsync(cancellationToken);
            return await _link.UseAsync(uses, use, cancellationToken);
        });

    private async Task EnsureAsync(CancellationToken cancellationToken)
    {
        if (_streams.IsEnsured)
        {
            return;
        }
        await _link.UseAsync(
            async cancel =>
            {
                await _streams.EnsureAsync(cancel);
                return true;
            },
            cancellationToken
        );
    }

    private async Task<T> RunAsync<T>(Func<Task<T>> run)
    {
        try
        {
            return await run();
        }
        catch (Exception exception) when (NatsFaults.IsFromNats(exception))
        {
            _streams.Failed(exception);
            throw NatsFaults.ToFault(exception);
        }
    }

    private sealed class Delivery(NatsEventBus bus, NatsJSMsg<byte[]> source, StoredMessage message, ulong attempt) : IDelivery
    {
        public StoredMessage Message => message;

        public int Attempt => (int)attempt;

        public NatsJSMsg<byte[]> Source => source;

        public ValueTask AckAsync(CancellationToken cancellationToken) => bus.AckAsync([this], cancellationToken);

        public ValueTask NakAsync(TimeSpan delay, CancellationToken cancellationToken) =>
            bus.SettleAsync([this], (it, cancel) => it.NakAsync(new AckOpts { NakDelay = delay }, cancel), cancellationToken);

        public ValueTask TermAsync(string reason, CancellationToken cancellationToken) =>
            bus.SettleAsync(
                [this],
                (it, cancel) =>
                    it.AckTerminateAsync(new AckOpts { TerminateReason = bus._link.SupportsTerminateReasons ? reason : null }, cancel),
                cancellationToken
            );

        public ValueTask InProgressAsync(CancellationToken cancellationToken) => bus.InProgressAsync([this], cancellationToken);
    }
}
