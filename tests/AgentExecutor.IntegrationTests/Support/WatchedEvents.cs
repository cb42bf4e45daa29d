namespace AgentExecutor.IntegrationTests.Support;

/// <summary>What must be true of the events that a watcher received.</summary>
internal static class WatchedEvents
{
    /// <summary>Asserts that the numbers of the events grow.</summary>
    public static void AssertInOrder(IEnumerable<WatchedEvent> received)
    {
        var ids = received.Select(it => it.Id!.Value).ToList();
        Assert.Equal(ids.Order().Distinct(), ids);
    }

    /// <summary>Asserts that each watcher received the whole log, in order and each event once.</summary>
    public static void AssertLog(IEnumerable<WatchedEvent> log, params IEnumerable<WatchedEvent>[] watchers)
    {
        var logged = log.Where(it => it.IsLogged).ToList();
        Assert.Equal("end", logged[^1].Type);
        foreach (var received in watchers.Select(it => it.ToList()))
        {
            AssertInOrder(received);
            Assert.Equal(logged, received.Where(it => it.IsLogged));
        }
    }

    /// <summary>Asserts that the events are complete: no number is missing.</summary>
    public static void AssertWhole(IReadOnlyCollection<WatchedEvent> received)
    {
        Assert.Equal(Enumerable.Range(1, received.Count).Select(number => (long?)number), received.Select(it => it.Id));
        Assert.Equal("end", received.Last().Type);
    }

    /// <summary>Adds events to the list until the connection ends or the number of events is reached.</summary>
    public static async Task TakeAsync(Func<Task<WatchedEvent?>> next, List<WatchedEvent> received, int most)
    {
        for (var taken = 0; taken < most && await next() is { Id: not null } value; taken++)
        {
            received.Add(value);
        }
    }
}
