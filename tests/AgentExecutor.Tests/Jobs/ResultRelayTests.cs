using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.Queues;

namespace AgentExecutor.Tests.Jobs;

/// <summary>Each outcome is published as one result, regardless of failures of the bus.</summary>
public sealed class ResultRelayTests : IAsyncDisposable
{
    private readonly JobService _service = new();

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Each_outcome_is_published_once_although_the_bus_fails_several_times(bool wasStored)
    {
        var failures = 0;
        void Fail(System.Collections.Immutable.ImmutableArray<BusMessage> messages)
        {
            if (messages[0].Subject.StartsWith(BusSubjects.Results, StringComparison.Ordinal) && ++failures <= 3)
            {
                throw RecordingBus.Away;
            }
        }
        if (wasStored)
        {
            _service.Bus.AfterPublish = Fail;
        }
        else
        {
            _service.Bus.BeforePublish = Fail;
        }
        _service.StartWorker();
        await _service.SendAsync([.. Enumerable.Range(0, 9).Select(i => JobService.Job($"j{i}"))]);

        await _service.HasSettledAsync(9);

        Assert.True(failures > 3);
        Assert.Equal(Enumerable.Range(0, 9).Select(i => $"j{i}"), (await _service.ResultsAsync()).Select(it => it.Job).Order());
        Assert.Equal(9, _service.Bus.Lines.Count(line => line.StartsWith("ack", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task An_outcome_in_doubt_is_searched_in_the_stream_regardless_of_its_length()
    {
        const int Others = 2_500;
        var isFirst = true;
        _service.Bus.DuplicateWindow = TimeSpan.Zero; // the bus has forgotten every id
        _service.Bus.AfterPublish = messages =>
        {
            if (isFirst && messages[0].Id.StartsWith("a:", StringComparison.Ordinal))
            {
                isFirst = false;
                throw RecordingBus.Away; // it is stored, but the relay does not know this
            }
        };
        await _service.Bus.PublishAsync(
            [.. Enumerable.Range(0, Others).Select(i => new BusMessage("agent.status.failed", "{}"u8.ToArray()) { Id = $"other:{i}" })],
            JobService.Cancel
        );
        _service.StartWorker();
        await _service.SendAsync(JobService.Job("a"));

        await _service.HasSettledAsync(1);

        Assert.False(isFirst);
        Assert.Single(_service.Bus.Lines, line => line.StartsWith("published agent.status.completed a:", StringComparison.Ordinal));
        Assert.Equal(
            ["read 1000", "read 1000", "read 500"],
            _service.Bus.Lines.Where(line => line.StartsWith("read", StringComparison.Ordinal)).Take(3)
        );
        Assert.Single(await _service.ResultsAsync());
    }

    [Fact]
    public async Task An_outcome_in_doubt_that_was_never_published_is_published()
    {
        _service.Bus.DuplicateWindow = TimeSpan.Zero;
        _service.StartWorker();
        await _service.SendAsync(JobService.Job("a"));

        await _service.HasSettledAsync(1);

        Assert.Single(await _service.ResultsAsync());
    }

    [Fact]
    public async Task A_result_that_is_too_large_for_the_bus_is_published_shortened_and_stored_completely()
    {
        _service.Bus.MaxBodyBytes = 20_000;
        _service.Bus.MaxMessageBytes = 28_000;
        var text = new string('x', 50_000);
        _service.StartWorker();
        await _service.AdmitAsync(
            JobService.Job(
                "large",
                """
                [{"tool_calls": [{"name": "write_file", "args": {"file_path": "/small.md", "content": "small"}},
                 {"name": "write_todos", "args": {"todos": [{"content": "count", "status": "pending"}]}}]}, {"text": "TEXT"}]
                """.Replace("TEXT", text, StringComparison.Ordinal)
            )
        );

        await _service.HasResultsAsync(1);

        var result = Assert.Single(await _service.ResultsAsync()).Data.GetProperty("result");
        Assert.True(result.GetProperty("truncated").GetBoolean());
        Assert.StartsWith(result.TextProperty("output")!, text, StringComparison.Ordinal);
        Assert.Equal("completed", result.TextProperty("status"));
        Assert.Equal(2, result.GetProperty("usage").GetProperty("model_calls").GetInt32());
        Assert.Equal("count", result.GetProperty("todos")[0].TextProperty("content"));
        var whole = Assert.Single(await _service.Outbox.FindAsync([new RunKey("large", "large")], JobService.Cancel));
        var kept = System.Text.Json.JsonElement.Parse(whole.Json.Span).GetProperty("result");
        Assert.Equal(text, kept.TextProperty("output"));
        Assert.Null(kept.Property("truncated"));
    }
}
