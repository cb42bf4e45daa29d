using System.Collections.Concurrent;
using System.Globalization;

namespace AgentExecutor.Adapters.Nats.Protocol;

/// <summary>One subscription for the answers to all requests: the last token of the reply subject says whose an answer is.</summary>
internal sealed class ReplyInbox
{
    private readonly ConcurrentDictionary<long, Waiting> _waiting = [];
    private readonly string _prefix = NatsSubjects.NewInbox() + ".";
    private readonly SubscriptionTable _table;
    private readonly Lock _gate = new();
    private bool _isSubscribed;
    private long _last;

    public ReplyInbox(SubscriptionTable table) => _table = table;

    /// <summary>An answer to come. Whoever opened it must <see cref="Forget"/> it.</summary>
    public (long Id, string ReplyTo, Task<NatsMessage> Reply) Open(string subject)
    {
        Subscribe();
        var id = Interlocked.Increment(ref _last);
        var waiting = new Waiting(subject, new TaskCompletionSource<NatsMessage>(TaskCreationOptions.RunContinuationsAsynchronously));
        _waiting[id] = waiting;
        return (id, string.Create(CultureInfo.InvariantCulture, $"{_prefix}{id}"), waiting.Reply.Task);
    }

    public void Forget(long id) => _waiting.TryRemove(id, out _);

    /// <summary>Nobody knows what became of the requests under way.</summary>
    /// <param name="subject">Only those that were sent to it.</param>
    public void Fail(NatsException fault, string? subject = null)
    {
        foreach (var waiting in _waiting.Values.Where(waiting => subject is null || waiting.Subject == subject))
        {
            waiting.Reply.TrySetException(new NatsException(fault.Fault, fault.Message, fault));
            _ = waiting.Reply.Task.Exception; // seen, also where its caller has gone
        }
    }

    private void Subscribe()
    {
        lock (_gate)
        {
            if (!_isSubscribed)
            {
                _isSubscribed = true;
                _table.Add($"{_prefix}*", null, Received, _ => Unsubscribed());
            }
        }
    }

    private void Unsubscribed()
    {
        lock (_gate)
        {
            _isSubscribed = false;
        }
    }

    private void Received(NatsMessage message)
    {
        if (long.TryParse(message.Subject.AsSpan(_prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var id) && _waiting.TryGetValue(id, out var waiting))
        {
            waiting.Reply.TrySetResult(message);
        }
    }

    private sealed record Waiting(string Subject, TaskCompletionSource<NatsMessage> Reply);
}
