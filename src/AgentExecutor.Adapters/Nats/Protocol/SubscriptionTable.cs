using System.Collections.Concurrent;

namespace AgentExecutor.Adapters.Nats.Protocol;

/// <summary>What we are subscribed to, whichever link is up: a new link is told all of it before it is used.</summary>
internal sealed class SubscriptionTable
{
    private readonly ConcurrentDictionary<long, Route> _routes = [];
    private readonly Lock _gate = new();
    private NatsLink? _link;
    private long _lastId;

    /// <param name="received">Called on the reading loop, in order: it must not block.</param>
    /// <param name="ended">Called once when the subscription has ended against the subscriber's will.</param>
    public long Add(string subject, string? queueGroup, Action<NatsMessage> received, Action<NatsException> ended)
    {
        NatsSubjects.CheckSubscribe(subject);
        lock (_gate)
        {
            var route = new Route(++_lastId, subject, queueGroup, received, ended);
            _routes[route.Id] = route;
            _link?.TrySend(route.Command);
            return route.Id;
        }
    }

    public void Remove(long id)
    {
        lock (_gate)
        {
            if (_routes.TryRemove(id, out _))
            {
                _link?.TrySend($"UNSUB {id}");
            }
        }
    }

    public void Deliver(NatsMessage message)
    {
        if (_routes.TryGetValue(message.SubscriptionId, out var route))
        {
            route.Received(message);
        }
    }

    public void Attach(NatsLink link)
    {
        lock (_gate)
        {
            _link = link;
            foreach (var route in _routes.Values)
            {
                link.TrySend(route.Command);
            }
        }
    }

    /// <summary>Lets go of everything on a link that another has taken the place of.</summary>
    public void Release(NatsLink link)
    {
        foreach (var id in _routes.Keys)
        {
            link.TrySend($"UNSUB {id}");
        }
    }

    public void Detach()
    {
        lock (_gate)
        {
            _link = null;
        }
    }

    public void End(NatsException fault, string? subject = null)
    {
        foreach (var route in _routes.Values.Where(route => subject is null || route.Subject == subject))
        {
            _routes.TryRemove(route.Id, out _);
            route.Ended(fault);
        }
    }

    private sealed record Route(long Id, string Subject, string? QueueGroup, Action<NatsMessage> Received, Action<NatsException> Ended)
    {
        public string Command => QueueGroup is null ? $"SUB {Subject} {Id}" : $"SUB {Subject} {QueueGroup} {Id}";
    }
}
