using System.Text;
using AgentExecutor.Core;
using AgentExecutor.Server.Commands.Watching;

namespace AgentExecutor.Tests.Commands.Watching;

public sealed class ThreadWatchTests
{
    private static readonly WatchTimeouts Timeouts = new()
    {
        MinDelay = TimeSpan.FromMilliseconds(1),
        MaxDelay = TimeSpan.FromMilliseconds(20),
        Response = TimeSpan.FromSeconds(10),
        Idle = TimeSpan.FromSeconds(10),
    };

    private readonly List<string> _notices = [];

    [Fact]
    public async Task An_event_that_was_cut_off_is_received_again_and_shown_once()
    {
        await using var service = new ScriptedService(
            ScriptedService.Broken(Event(1) + Event(2) + Event(3)[..^20]),
            ScriptedService.Broken(Event(3)[..^1]),
            ScriptedService.Events(Event(3) + Event(4, "end"))
        );

        var shown = await WatchAsync(service);

        Assert.Equal([Json(1), Json(2), Json(3), Json(4, "end")], shown);
        Assert.Equal(["-", "2", "2"], service.Seen);
        Assert.Empty(_notices);
    }

    [Fact]
    public async Task A_repeated_event_is_not_shown_again()
    {
        await using var service = new ScriptedService(
            ScriptedService.Events(Event(1) + Event(1) + Event(2)),
            ScriptedService.Events(Event(1) + Event(2) + Event(3, "end"))
        );

        Assert.Equal([Json(1), Json(2), Json(3, "end")], await WatchAsync(service));
    }

    [Fact]
    public async Task It_starts_after_the_last_event_that_was_seen()
    {
        await using var service = new ScriptedService(ScriptedService.Events(Event(8, "end")));

        Assert.Equal([Json(8, "end")], await WatchAsync(service, after: 7));
        Assert.Equal(["7"], service.Seen);
    }

    [Fact]
    public async Task Invalid_data_is_skipped_and_not_requested_again()
    {
        await using var service = new ScriptedService(
            ScriptedService.Broken(Event(1) + "id: 2\nevent: end\ndata: {\"a\n\n"),
            ScriptedService.Events(Event(3, "end"))
        );

        Assert.Equal([Json(1), Json(3, "end")], await WatchAsync(service));
        Assert.Equal(["-", "2"], service.Seen);
        Assert.Equal(["event 2 is not valid JSON and is skipped"], _notices);
    }

    [Fact]
    public async Task A_silent_connection_is_reopened()
    {
        await using var service = new ScriptedService(ScriptedService.Hanging(Event(1)), ScriptedService.Events(Event(2, "end")));

        Assert.Equal([Json(1), Json(2, "end")], await WatchAsync(service, Timeouts with { Idle = TimeSpan.FromMilliseconds(200) }));
        Assert.Equal(["-", "1"], service.Seen);
    }

    [Fact]
    public async Task A_connection_with_heartbeats_is_kept()
    {
        await using var service = new ScriptedService(ScriptedService.Murmuring(30, Event(1, "end")));

        Assert.Equal([Json(1, "end")], await WatchAsync(service, Timeouts with { Idle = TimeSpan.FromSeconds(1) }));
        Assert.Single(service.Seen);
    }

    [Fact]
    public async Task An_outage_and_its_end_are_reported_once_each()
    {
        var away = ScriptedService.Status(
            "503 Service Unavailable",
            "application/problem+json",
            """{"code": "stream_unavailable", "detail": "the store is away"}"""
        );
        await using var service = new ScriptedService(
            away,
            away,
            ScriptedService.Events(Event(1) + "event: closed\ndata: {\"reason\":\"stopping\",\"after\":1}\n\n"),
            away,
            ScriptedService.Status("404 Not Found", "text/html", "<h1>no backend</h1>"),
            ScriptedService.Status("200 OK", "text/html", "<h1>soon</h1>"),
            away,
            ScriptedService.Events(Event(2, "end"))
        );

        Assert.Equal([Json(1), Json(2, "end")], await WatchAsync(service));

        var back = $"{service.Url.ToString().TrimEnd('/')} is reachable again";
        const string Away = "the store is away; retrying until the service answers";
        Assert.Equal([Away, back, Away, back], _notices);
        Assert.Equal(["-", "-", "-", "1", "1", "1", "1", "1"], service.Seen);
    }

    [Fact]
    public async Task A_watcher_that_was_too_slow_continues()
    {
        await using var service = new ScriptedService(
            ScriptedService.Events(Event(1) + "event: closed\ndata: {\"reason\":\"too_slow\",\"after\":1}\n\n"),
            ScriptedService.Events(Event(2, "end"))
        );

        Assert.Equal([Json(1), Json(2, "end")], await WatchAsync(service));
        Assert.Empty(_notices);
    }

    [Fact]
    public async Task An_end_event_of_an_earlier_run_does_not_end_the_watch()
    {
        await using var service = new ScriptedService(
            ScriptedService.Broken(Event(1) + Event(2, "end")),
            ScriptedService.Events(Event(3) + Event(4, "end"))
        );

        Assert.Equal([Json(1), Json(2, "end"), Json(3), Json(4, "end")], await WatchAsync(service));
    }

    [Fact]
    public async Task An_end_event_ends_the_watch_if_the_service_confirms_it_or_is_gone()
    {
        await using var said = new ScriptedService(ScriptedService.Broken(Event(1, "end")), ScriptedService.NoContent);
        await using var gone = new ScriptedService(ScriptedService.Broken(Event(1, "end")));

        Assert.Equal([Json(1, "end")], await WatchAsync(said));
        Assert.Equal([Json(1, "end")], await WatchAsync(gone));
        Assert.Empty(_notices);
    }

    [Fact]
    public async Task Nothing_is_shown_if_all_events_were_seen_before()
    {
        await using var service = new ScriptedService(ScriptedService.NoContent);

        Assert.Empty(await WatchAsync(service, after: 9));
    }

    [Fact]
    public async Task A_service_that_cannot_be_reached_at_first_is_a_fault()
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

        var fault = await Assert.ThrowsAsync<FaultException>(() => WatchAsync(service));
        Assert.Contains("does not provide thread events", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_unknown_thread_and_a_deleted_thread_are_different_faults()
    {
        var unknown = ScriptedService.Status(
            "404 Not Found",
            "application/problem+json",
            """{"code": "unknown_thread", "detail": "there is no thread 't'", "hint": "check the id"}"""
        );
        await using var never = new ScriptedService(unknown);
        await using var noLonger = new ScriptedService(ScriptedService.Broken(Event(1)), unknown);
        await using var deleted = new ScriptedService(
            ScriptedService.Events(Event(1) + "event: closed\ndata: {\"reason\":\"thread_deleted\",\"after\":1}\n\n")
        );

        Assert.Equal("there is no thread 't'", (await Assert.ThrowsAsync<FaultException>(() => WatchAsync(never))).Message);
        foreach (var service in (ScriptedService[])[noLonger, deleted])
        {
            var fault = await Assert.ThrowsAsync<FaultException>(() => WatchAsync(service));
            Assert.Equal((FaultCodes.UnknownThread, "the thread 't' was deleted during the watch"), (fault.Code, fault.Message));
        }
    }

    [Fact]
    public void The_delays_between_attempts_grow_and_vary()
    {
        var timeouts = new WatchTimeouts();

        Assert.All(Enumerable.Range(0, 100), _ => Assert.InRange(timeouts.DelayBefore(0).TotalSeconds, 0.2, 0.4));
        var late = Enumerable.Range(0, 100).Select(_ => timeouts.DelayBefore(1_000_000).TotalSeconds).ToList();
        Assert.All(late, seconds => Assert.InRange(seconds, 0.2, 5));
        Assert.True(late.Max() - late.Min() > 1);
    }

    private static string Event(long sequence, string type = "on_tool_start") =>
        $"id: {sequence}\nevent: {type}\ndata: {Json(sequence, type)}\n\n";

    private static string Json(long sequence, string type = "on_tool_start") =>
        $$"""{"event_type":"{{type}}", "seq" : {{sequence}} ,"text":"é\u00e9"}""";

    private async Task<List<string>> WatchAsync(ScriptedService service, WatchTimeouts? timeouts = null, long after = 0)
    {
        using var http = new HttpClient();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(Eventually.Limit);
        var shown = new List<string>();
        var watch = new ThreadWatch(http, service.Url, "t", after, timeouts ?? Timeouts, TimeProvider.System, _notices.Add);
        await foreach (var value in watch.ReadAsync(limit.Token))
        {
            shown.Add(Encoding.UTF8.GetString(value.Json.Span));
        }
        return shown;
    }
}
