using System.Collections.Immutable;
using AgentExecutor.Core.Checkpoints;

namespace AgentExecutor.Core.InMemory;

/// <summary>The questions and the messages of one thread in memory. The owner of the thread locks it.</summary>
internal sealed class InMemoryInterrupts
{
    private readonly Dictionary<string, StoredInterrupt> _interrupts = new(StringComparer.Ordinal);

    public List<InMemoryNotice> Notices { get; } = [];

    public void Apply(StepCommit commit, DateTimeOffset now)
    {
        foreach (var interrupt in commit.Interrupts)
        {
            _interrupts.TryAdd(interrupt.Id, interrupt);
        }
        foreach (var answer in commit.Answers)
        {
            if (_interrupts.TryGetValue(answer.InterruptId, out var asked))
            {
                _interrupts[asked.Id] = asked with { Answer = asked.Answer ?? answer.Json, DueAt = null, IsApplied = true };
            }
        }
        foreach (var notice in commit.Notices)
        {
            Add(notice, now);
        }
    }

    public ImmutableArray<StoredInterrupt> Find(ImmutableArray<string> ids) =>
        [.. ids.Select(id => _interrupts.GetValueOrDefault(id)).OfType<StoredInterrupt>()];

    public StoredInterrupt Record(StoredInterrupt answered, DateTimeOffset now)
    {
        var known = _interrupts.GetValueOrDefault(answered.Id);
        return known?.Answer is not null
            ? known
            : _interrupts[answered.Id] = (known ?? answered) with { Answer = answered.Answer, DueAt = now };
    }

    public IEnumerable<StoredInterrupt> TakeDue(DateTimeOffset now, TimeSpan hold, int atMost)
    {
        foreach (var due in _interrupts.Values.Where(it => it.DueAt <= now).OrderBy(it => it.DueAt).Take(atMost).ToList())
        {
            _interrupts[due.Id] = due with { DueAt = now + hold };
            yield return due;
        }
    }

    public bool Escalate(StoredInterrupt interrupt, StoredNotice notice, DateTimeOffset now)
    {
        if (
            !_interrupts.TryGetValue(interrupt.Id, out var known)
            || known.Answer is not null
            || known.Escalation != interrupt.Escalation - 1
        )
        {
            return false;
        }
        _interrupts[interrupt.Id] = known with { Escalation = interrupt.Escalation, DueAt = interrupt.DueAt };
        Add(notice, now);
        return true;
    }

    public void Close(string id)
    {
        if (_interrupts.TryGetValue(id, out var known))
        {
            _interrupts[id] = known with { DueAt = null };
        }
    }

    public void Clear()
    {
        _interrupts.Clear();
        Notices.Clear();
    }

    private void Add(StoredNotice notice, DateTimeOffset now)
    {
        if (Notices.TrueForAll(it => it.Notice.Id != notice.Id))
        {
            Notices.Add(new InMemoryNotice(notice, now));
        }
    }
}

/// <summary>A message in memory.</summary>
internal sealed class InMemoryNotice(StoredNotice notice, DateTimeOffset createdAt)
{
    public StoredNotice Notice => notice;

    public DateTimeOffset CreatedAt => createdAt;

    public bool IsPublished { get; set; }

    public bool IsTaken { get; set; }
}
