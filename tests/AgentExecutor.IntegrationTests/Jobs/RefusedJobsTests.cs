using System.Text;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messaging;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Jobs;

/// <summary>Messages that are no valid job, or repeat one, do not hold up other jobs.</summary>
public sealed class RefusedJobsTests(PostgresFixture postgres) : JobsTest(postgres)
{
    /// <summary>Jobs whose senders do not encode headers as the binding requires.</summary>
    [Fact]
    public async Task Headers_that_are_not_encoded_and_media_types_with_parameters_are_read()
    {
        await Bus.ReadAsync(BusStream.Results); // This creates the streams.
        const string Binary = "CE-SpecVersion: 1.0\r\nCE-Id: 2\r\nce-Source: /test\r\nCe-Type: dev.my-platform.agent.execute\r\n";
        await PublishRawAsync(
            "raw",
            $"{Binary}ce-subject: caf\u00e9 100%\r\nContent-Type: application/json\r\n",
            JobBus.Job("raw", Counting())
        );
        await PublishRawAsync(
            "typed",
            $"{Binary}ce-datacontenttype: application/json\r\ncontent-type: application/json; charset=UTF-8\r\n",
            JobBus.Job("typed", Counting())
        );
        await PublishRawAsync(
            "iri",
            Binary.Replace("/test", "/M\u00fcnchen", StringComparison.Ordinal)
                + "ce-dataschema: https://m\u00fcnchen.example/job\r\nContent-Type: application/json\r\n",
            JobBus.Job("iri", Counting())
        );
        await PublishRawAsync(
            "structured",
            "Content-Type: APPLICATION/cloudevents+json; charset=UTF-8; profile=x\r\n",
            $$"""
            {"specversion": "1.0", "id": "1", "source": "/test", "type": "dev.my-platform.agent.execute",
              "data": {{JobBus.Job("structured", Counting())}}}
            """
        );

        await Wait.UntilAsync(
            async () => (await Bus.ResultsAsync()).Count == 4,
            async () =>
                string.Join('\n', (await Bus.ReadAsync(BusStream.DeadLetters)).Select(letter => letter.Header("Dead-Letter-Reason")))
        );

        Assert.All(await Bus.ResultsAsync(), it => Assert.Equal("completed", it.Status));
        await AssertNothingIsLeftAsync();
    }

    [Fact]
    public async Task A_malformed_header_block_becomes_a_dead_letter_and_does_not_block_other_jobs()
    {
        await Bus.ReadAsync(BusStream.Results);
        await PublishRawAsync("a", "no colon\r\n", JobBus.Job("a", Counting()));
        await PublishRawAsync("b", ": no name\r\n", JobBus.Job("b", Counting()));
        await PublishRawAsync("c", "ce-id: 1\r\n", JobBus.Job("c", Counting()), version: "HTTP/1.1");
        await PublishRawAsync("d", "ce-specversion: 1.0\r\nce-id: a\0b\r\n", JobBus.Job("d", Counting()));
        await PublishRawAsync("e", "", JobBus.Job("e", Counting()), version: "NATS/1.0 404 No Messages"); // the status line of the server
        await PublishRawAsync("f", "", JobBus.Job("fine", Counting()));

        await Wait.UntilAsync(async () => (await Bus.ResultsAsync()).Count == 2 && (await Bus.ReadAsync(BusStream.DeadLetters)).Count == 4);

        Assert.Equal(["e", "fine"], (await Bus.ResultsAsync()).Select(it => it.Job).Order());
        var reasons = (await Bus.ReadAsync(BusStream.DeadLetters)).ToDictionary(
            letter => letter.Header("Dead-Letter-Subject")![^1],
            letter => letter.Header("Dead-Letter-Reason")!
        );
        Assert.Contains("it has no colon", reasons['a'], StringComparison.Ordinal);
        Assert.Contains("it has no name", reasons['b'], StringComparison.Ordinal);
        Assert.Contains("does not begin with NATS/1.0", reasons['c'], StringComparison.Ordinal);
        Assert.Contains("U+0000", reasons['d'], StringComparison.Ordinal);
        await AssertNothingIsLeftAsync();
    }

    [Fact]
    public async Task A_repeated_job_runs_once_and_a_different_job_with_its_id_becomes_a_dead_letter()
    {
        var job = JobBus.Job("j", Counting());
        await Bus.SendAsync(job, job + " ", job.Replace("\"j\"", "  \"j\"  ", StringComparison.Ordinal));
        await Wait.UntilAsync(async () => (await Bus.ResultsAsync()).Count == 1);
        await Bus.SendAsync(job + "  ", JobBus.Job("j", Counting(), "something else"));

        await Wait.UntilAsync(async () => (await Bus.ReadAsync(BusStream.DeadLetters)).Count == 1);

        await AssertNothingIsLeftAsync();
        Assert.Single(await Bus.ResultsAsync());
        Assert.Equal(1, Fleet.Tool.Calls.Values.Sum());
        var letter = (await Bus.ReadAsync(BusStream.DeadLetters))[0];
        Assert.Equal(("job_conflict", "agent.execute.test"), (letter.Header("Dead-Letter-Code"), letter.Header("Dead-Letter-Subject")));
        Assert.Contains("something else", Encoding.UTF8.GetString(letter.Body.Span), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Unreadable_messages_become_dead_letters_and_do_not_block_other_jobs()
    {
        await Bus.SendAsync(
            "no json",
            """{"job_id": "half"}""",
            """{"specversion": "0.3", "id": "1", "source": "/", "type": "x"}""",
            "",
            JobBus.Job("fine", Counting())
        );

        await Wait.UntilAsync(async () => (await Bus.ResultsAsync()).Count == 1 && (await Bus.ReadAsync(BusStream.DeadLetters)).Count == 4);

        var letters = await Bus.ReadAsync(BusStream.DeadLetters);
        Assert.All(letters, letter => Assert.Equal("invalid_event", letter.Header("Dead-Letter-Code")));
        Assert.Contains(
            "trace_id",
            letters
                .Single(letter => Encoding.UTF8.GetString(letter.Body.Span).Contains("half", StringComparison.Ordinal))
                .Header("Dead-Letter-Reason"),
            StringComparison.Ordinal
        );
        await AssertNothingIsLeftAsync();

        var list = await Fleet.Program.RunAsync("dead-letters", "list");
        Assert.Equal(0, list.ExitCode);
        Assert.Equal(5, list.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        var show = await Fleet.Program.RunAsync("dead-letters", "show", $"{letters[1].Sequence}", "--body");
        Assert.Equal("""{"job_id": "half"}""", show.Output);
        Assert.Equal(
            0,
            (await Fleet.Program.RunAsync("dead-letters", "drop", $"{letters[0].Sequence}", $"{letters[1].Sequence}")).ExitCode
        );
        Assert.Equal(2, (await Bus.ReadAsync(BusStream.DeadLetters)).Count);
        var unasked = await Fleet.Program.RunAsync("dead-letters", "drop", "--all");
        Assert.Equal((2, 2), (unasked.ExitCode, (await Bus.ReadAsync(BusStream.DeadLetters)).Count));
        Assert.Contains("2 dead letters", unasked.Error, StringComparison.Ordinal);
        Assert.Equal(0, (await Fleet.Program.RunAsync("dead-letters", "drop", "--all", "--yes")).ExitCode);
        Assert.Empty(await Bus.ReadAsync(BusStream.DeadLetters));
        Assert.NotEqual(0, (await Fleet.Program.RunAsync("dead-letters", "show", "999")).ExitCode);
    }

    [Theory]
    [InlineData("\"name\": \"once\"", "\"name\": \"on\\u0000ce\"")]
    [InlineData("\"user_request\": \"go\"", "\"user_request\": \"g\\u0000o\"")]
    [InlineData("trace-odd", "trace\\u0000odd")]
    [InlineData("\"job_id\": \"odd\"", "\"job_id\": \"o\\u0000dd\"")]
    [InlineData("\"text\": \"the tool", "\"text\": \"\\u0000 the tool")]
    public async Task A_character_that_the_database_cannot_store_does_not_block_other_jobs(string text, string odd)
    {
        await Bus.SendAsync(JobBus.Job("odd", Counting()).Replace(text, odd, StringComparison.Ordinal), JobBus.Job("fine", Counting()));

        await Wait.UntilAsync(async () => (await Bus.ResultsAsync()).Count + (await Bus.ReadAsync(BusStream.DeadLetters)).Count == 2);

        Assert.Contains(await Bus.ResultsAsync(), it => it is { Job: "fine", Status: "completed" });
        await AssertNothingIsLeftAsync();
    }

    [Fact]
    public async Task A_job_with_a_bad_definition_fails_with_all_its_faults()
    {
        await Bus.SendAsync(JobBus.Job("bad", """{"nodes": [{"id": "a", "type": "wizard"}]}"""), JobBus.Job("fine", Counting()));

        await Wait.UntilAsync(async () => (await Bus.ResultsAsync()).Count == 2);

        var (_, status, data) = (await Bus.ResultsAsync()).Single(it => it.Job == "bad");
        Assert.Equal(("failed", "invalid_definition"), (status, data.GetProperty("error").TextProperty("code")));
        await AssertNothingIsLeftAsync();
    }

    private Task PublishRawAsync(string token, string headers, string body, string version = "NATS/1.0") =>
        RawNats.PublishAsync(Nats, $"agent.execute.{token}", $"{version}\r\n{headers}\r\n", body);
}
