using System.Text;
using AgentExecutor.Core;
using AgentExecutor.Server.Commands.Watching;

namespace AgentExecutor.Tests.Commands.Watching;

public sealed class ThreadWatchTests
{
    private static readonly WatchPatience Patience = new()
    {
        Least = TimeSpan.FromMilliseconds(1),
        Most = TimeSpan.FromMilliseconds(20),
        Answer = TimeSpan.FromSeconds(10),
        Silence = TimeSpan.FromSeconds(10),
    };

    private readonly List<string> _notices = [];

    [Fact]
    public async Task An_event_that_breaks_off_comes_again_and_is_told_once()
    {
        await using var service = new ScriptedService(
            ScriptedService.Broken(Event(1) + Event(2) + Event(3)[..^20]), ScriptedService.Broken(Event(3)[..^1]), ScriptedService.Events(Event(3) + Event(4, "end")));

        var told = await WatchAsync(service);

        Assert.Equal([Json(1), Json(2), Json(3), Json(4, "end")], told);
        Assert.Equal(["-", "2", "2"], service.Seen);
        Assert.Empty(_notices);
    }

    [Fact]
    public async Task What_comes_again_is_not_told_again()
    {
        await using var service = new ScriptedService(ScriptedService.Events(Event(1) + Event(1) + Event(2)), ScriptedService.Events(Event(1) + Event(2) + Event(3, "end")));

        Assert.Equal([Json(1), Json(2), Json(3, "end")], await WatchAsync(service));
    }

    [Fact]
    public async Task It_begins_after_what_was_seen()
    {
        await using var service = new ScriptedService(ScriptedService.Events(Event(8, "end")));

        Assert.Equal([Json(8, "end")], await WatchAsync(service, after: 7));
        Assert.Equal(["7"], service.Seen);
    }

    [Fact]
    public async Task Garbage_is_left_out_and_not_asked_for_again()
    {
        await using var service = new ScriptedService(ScriptedService.Broken(Event(1) + "id: 2\nevent: end\ndata: {\"a\n\n"), ScriptedService.Events(Event(3, "end")));

        Assert.Equal([Json(1), Json(3, "end")], await WatchAsync(service));
        Assert.Equal(["-", "2"], service.Seen);
        Assert.Equal(["event 2 is no JSON, and is left out"], _notices);
    }

    [Fact]
    public async Task A_silent_connection_is_made_again()
    {
        await using var service = new ScriptedService(ScriptedService.Hanging(Event(1)), ScriptedService.Events(Event(2, "end")));

        Assert.Equal([Json(1), Json(2, "end")], await WatchAsync(service, Patience with { Silence = TimeSpan.FromMilliseconds(200) }));
        Assert.Equal(["-", "1"], service.Seen);
    }

    [Fact]
    public async Task A_connection_that_says_that_it_is_there_is_kept()
    {
        await using var service = new ScriptedService(ScriptedService.Murmuring(30, Event(1, "end")));

        Assert.Equal([Json(1, "end")], await WatchAsync(service, Patience with { Silence = TimeSpan.FromSeconds(1) }));
        Assert.Single(service.Seen);
    }

    [Fact]
    public async Task An_outage_and_its_end_are_told_once_each()
    {
        var away = ScriptedService.Status("503 Service Unavailable", "application/problem+json", """{"code": "stream_unavailable", "detail": "the store is away"}""");
        await using var service = new ScriptedService(
            away, away, ScriptedService.Events(Event(1) + "event: closed\ndata: {\"reason\":\"stopping\",\"after\":1}\n\n"), away,
            ScriptedService.Status("404 Not Found", "text/html", "<h1>no backend</h1>"), ScriptedService.Status("200 OK", "text/html", "<h1>soon</h1>"), away,
            ScriptedService.Events(Event(2, "end")));

        Assert.Equal([Json(1), Json(2, "end")], await WatchAsync(service));

        var back = $"{service.Url.ToString().TrimEnd('/')} is back";
        Assert.Equal(["the store is away; trying again until it answers", back, "the store is away; trying again until it answers", back], _notices);
        Assert.Equal(["-", "-", "-", "1", "1", "1", "1", "1"], service.Seen);
    }

    [Fact]
    public async Task Who_was_too_slow_goes_on()
    {
        await using var service = new ScriptedService(ScriptedService.Events(Event(1) + "event: closed\ndata: {\"reason\":\"too_slow\",\"after\":1}\n\n"), ScriptedService.Events(Event(2, "end")));

        Assert.Equal([Json(1), Json(2, "end")], await WatchAsync(service));
        Assert.Empty(_notices);
    }

    [Fact]
    public async Task An_end_of_old_is_not_the_end()
    {
        await using var service = new ScriptedService(ScriptedService.Broken(Event(1) + Event(2, "end")), ScriptedService.Events(Event(3) + Event(4, "end")));

        Assert.Equal([Json(1), Json(2, "end"), Json(3), Json(4, "end")], await WatchAsync(service));
    }

    [Fact]
    public async Task An_end_is_the_end_where_the_service_says_so_or_is_gone()
    {
        await using var said = new ScriptedService(ScriptedService.Broken(Event(1, "end")), ScriptedService.NoContent);
        await using var gone = new ScriptedService(ScriptedService.Broken(Event(1, "end")));

        Assert.Equal([Json(1, "end")], await WatchAsync(said));
        Assert.Equal([Json(1, "end")], await WatchAsync(gone));
        Assert.Empty(_notices);
    }

    [Fact]
    public async Task Where_all_was_seen_nothing_is_told()
    {
        await using var service = new ScriptedService(ScriptedService.NoContent);

        Assert.Empty(await WatchAsync(service, after: 9));
    }

    [Fact]
    public async Task No_service_at_the_first_try_is_a_fault()
    {
        await using var service = new ScriptedService();

        var fault = await Assert.ThrowsAsync<FaultException>(() => WatchAsync(service));

        Assert.Equal(FaultCodes.BusUnavailable, fault.Code);
        Assert.Contains("agent-executor serve", fault.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_kind_of_server_is_a_fault()
    {
        await using var service = new ScriptedService(ScriptedService.Status("200 OK", "text/html", "<h1>hello</h1>"));

        Assert.Contains("has no events of threads", (await Assert.ThrowsAsync<FaultException>(() => WatchAsync(service))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_unknown_thread_is_a_fault_and_one_that_is_deleted_another()
    {
        var unknown = ScriptedService.Status("404 Not Found", "application/problem+json", """{"code": "unknown_thread", "detail": "there is no thread 't'", "hint": "check the id"}""");
        await using var never = new ScriptedService(unknown);
        await using var noLonger = new ScriptedService(ScriptedService.Broken(Event(1)), unknown);
        await using var deleted = new ScriptedService(ScriptedService.Events(Event(1) + "event: closed\ndata: {\"reason\":\"thread_deleted\",\"after\":1}\n\n"));

        Assert.Equal("there is no thread 't'", (await Assert.ThrowsAsync<FaultException>(() => WatchAsync(never))).Message);
        foreach (var service in (ScriptedService[])[noLonger, deleted])
        {
            var fault = await Assert.ThrowsAsync<FaultException>(() => WatchAsync(service));
            Assert.Equal((FaultCodes.UnknownThread, "the thread 't' was deleted while it was watched"), (fault.Code, fault.Message));
        }
    }

    [Fact]
    public void The_tries_grow_rarer_and_differ()
    {
        var patience = new WatchPatience();

        Assert.All(Enumerable.Range(0, 100), _ => Assert.InRange(patience.Before(0).TotalSeconds, 0.2, 0.4));
        var late = Enumerable.Range(0, 100).Select(_ => patience.Before(1_000_000).TotalSeconds).ToList();
        Assert.All(late, seconds => Assert.InRange(seconds, 0.2, 5));
        Assert.True(late.Max() - late.Min() > 1);
    }

    private static string Event(long sequence, string type = "on_tool_start") => $"id: {sequence}\nevent: {type}\ndata: {Json(sequence, type)}\n\n";

    private static string Json(long sequence, string type = "on_tool_start") => $$"""{"event_type":"{{type}}", "seq" : {{sequence}} ,"text":"é\u00e9"}""";

    private async Task<List<string>> WatchAsync(ScriptedService service, WatchPatience? patience = null, long after = 0)
    {
        using var http = new HttpClient();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(Eventually.Limit);
        var told = new List<string>();
        var watch = new ThreadWatch(http, service.Url, "t", after, patience ?? Patience, TimeProvider.System, _notices.Add);
        await foreach (var value in watch.ReadAsync(limit.Token))
        {
            told.Add(Encoding.UTF8.GetString(value.Json.Span));
        }
        return told;
    }
}
