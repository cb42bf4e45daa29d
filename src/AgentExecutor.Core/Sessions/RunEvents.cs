using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Sessions;

/// <summary>
/// Numbers the events of a run and publishes them to watchers in that order. Events that are logged are stored with the next commit. The
/// events of a commit are numbered before it and published after it. Events that are published in the meantime have higher numbers and are
/// held back.
/// </summary>
internal sealed class RunEvents(string threadId, long attempt, long last, RunServices services) : IDisposable
{
    private readonly Lock _gate = new();
    private readonly List<EventEnvelope> _unlogged = [];
    private readonly IEventSink _sink = services.Events.Open(threadId, last);
    private List<EventEnvelope>? _held;
    private long _last = last;

    public void Publish(RunEvent value)
    {
        lock (_gate)
        {
            var envelope = Number(value, services.Time.GetUtcNow());
            if (RunEventJson.IsLogged(value))
            {
                _unlogged.Add(envelope);
            }
            if (_held is not null)
            {
                _held.Add(envelope);
            }
            else
            {
                _sink.Publish(envelope);
            }
        }
    }

    /// <summary>Numbers the events of a commit, and holds back later ones until <see cref="Release"/>.</summary>
    public Batch Hold(RunEvent? after, ImmutableArray<RunEvent> events, DateTimeOffset now)
    {
        lock (_gate)
        {
            _held = [];
            var own = new List<EventEnvelope>(events.Length + 1);
            if (after is not null)
            {
                own.Add(Number(after, now));
            }
            foreach (var value in events)
            {
                own.Add(Number(value, now));
            }
            List<EventEnvelope> earlier = [.. _unlogged];
            _unlogged.Clear();
            return new Batch(earlier, own, _last);
        }
    }

    /// <summary>Publishes the events of the commit if it was stored, and then those that were held back.</summary>
    public void Release(Batch batch, bool isStored)
    {
        lock (_gate)
        {
            foreach (var envelope in isStored ? batch.Own : [])
            {
                _sink.Publish(envelope);
            }
            if (isStored)
            {
                _sink.Stored(batch.Last);
            }
            else
            {
                _unlogged.InsertRange(0, batch.Earlier);
            }
            foreach (var envelope in _held ?? [])
            {
                _sink.Publish(envelope);
            }
            _held = null;
        }
    }

    public void Dispose() => _sink.Dispose();

    private EventEnvelope Number(RunEvent value, DateTimeOffset now) => new(threadId, ++_last, now, value) { Attempt = attempt };

    /// <summary>The events that one commit stores.</summary>
    /// <param name="Earlier">Events that were published before the commit and are not logged yet.</param>
    /// <param name="Own">Events to publish once the commit is stored.</param>
    /// <param name="Last">The greatest sequence number that has been assigned.</param>
    public sealed record Batch(List<EventEnvelope> Earlier, List<EventEnvelope> Own, long Last)
    {
        public StoredEvents? ToStore() =>
            Earlier.Count + Own.Count == 0
                ? null
                : new StoredEvents(
                    Own.Count > 0 ? Own[^1].Sequence : Earlier[^1].Sequence,
                    JsonBytes.Write(this, static (writer, batch) => batch.Write(writer))
                );

        private void Write(Utf8JsonWriter writer)
        {
            writer.WriteStartArray();
            foreach (var envelope in Earlier)
            {
                RunEventJson.WriteLogged(writer, envelope);
            }
            foreach (var envelope in Own)
            {
                RunEventJson.WriteLogged(writer, envelope);
            }
            writer.WriteEndArray();
        }
    }
}
