using System.Text;
using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Compilation;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions;
using AgentExecutor.Core.Threads;
using AgentExecutor.Core.Tools;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace AgentExecutor.Conformance.Checkpoints;

/// <summary>Everything that is accepted from callers, models and tools can be read back.</summary>
public abstract partial class CheckpointStoreContract
{
    private const int Tries = 40;

    private const string Definition =
        """{"name": "d", "nodes": [{"id": "a", "type": "orchestrator", "config": {"model": {"provider": "calling", "model": "x"}}}]}""";

    private static readonly string[] Texts =
    [
        "",
        " ",
        "a",
        "\\u0000",
        "\\ud83d",
        "\\udce6",
        "\\ud83d\\udce6",
        "\\\"",
        "\\\\",
        "\\n\\r\\t",
        "ü",
        "\\u2028",
        "__interrupt__",
        "join:a",
        "messages",
        "files",
        "todos",
        "constructor",
        "$ref",
    ];

    private static readonly string[] Numbers = ["0", "-0", "1e999", "-1e999", "1e-999", "123456789012345678901234567890", "0.1", "1E+5"];

    private static Gen<string> AnyText =>
        Gen.Frequency((8, Gen.Elements(Texts)), (1, Gen.Choose(100, 20_000).Select(length => new string('x', length))));

    private static Gen<string> AnyJson(int depth)
    {
        var leaf = Gen.OneOf(Gen.Elements(Numbers), AnyText.Select(text => $"\"{text}\""), Gen.Elements("null", "true", "false"));
        if (depth == 0)
        {
            return leaf;
        }
        var inner = AnyJson(depth - 1);
        return Gen.OneOf(
            leaf,
            Gen.Choose(1, 70).SelectMany(levels => leaf.Select(it => new string('[', levels) + it + new string(']', levels))),
            inner.ListOf(2).Select(items => $"[{string.Join(',', items)}]"),
            AnyText.SelectMany(one => AnyText.SelectMany(other => inner.Select(value => $"{{\"{one}\":{value},\"{other}\":1}}")))
        );
    }

    [Fact]
    public async Task Everything_that_is_accepted_can_be_read_back()
    {
        var gen = AnyJson(2)
            .SelectMany(input => AnyJson(2).SelectMany(tree => AnyText.SelectMany(name => AnyText.Select(id => (input, tree, name, id)))));
        var accepted = 0;
        var seeds = gen.Sample(Tries, 20).ToList();
        for (var i = 0; i < seeds.Count; i++)
        {
            accepted += await TryAsync($"v{i}", seeds[i].input, seeds[i].tree, seeds[i].name, seeds[i].id) ? 1 : 0;
        }

        Assert.InRange(accepted, 1, Tries);
    }

    /// <summary>Returns true if the input was accepted and the whole thread can be read. Otherwise nothing of it is stored.</summary>
    private async Task<bool> TryAsync(string threadId, string field, string tree, string name, string callId)
    {
        var input = StoredJson.Parse($$"""{"user_request": "go", "{{name}}": {{field}} }""");
        var arguments = StoredJson.Parse($$"""{"todos": [], "tree": {{tree}}, "{{name}}": 1}""");
        var models = new ModelCatalog([new CallingModel(() => (InputJson.Parse($"\"{callId}\"").GetString()!, "write_todos", arguments))]);
        var events = new InMemoryEventStream();
        var executor = new RunExecutor(
            new RunServices(Store, events, TimeProvider.System),
            Runs,
            new CompiledAgents(new DefinitionEnvironment(models, new ToolCatalog([]), new RunLimits()))
        );
        RunOutcome outcome;
        try
        {
            outcome = await executor.StartAsync(new RunRequest(threadId, "r", Encoding.UTF8.GetBytes(Definition), input), default);
        }
        catch (FaultException fault)
        {
            Assert.Contains(fault.Code, new[] { FaultCodes.InvalidInput, FaultCodes.InvalidUpdate });
            Assert.Null(await Runs.FindAsync(threadId, Cancel));
            return false;
        }
        Assert.True(outcome.Run.Status == RunStatus.Completed, $"{outcome.Run.Failure?.Code}: {outcome.Run.Failure?.Message}");
        var (checkpoints, runs) = (Store, Runs) = await ReopenAsync();
        var run = (await runs.FindAsync(threadId, Cancel))!;
        var reader = new ThreadReader(checkpoints, runs);
        await foreach (var checkpoint in checkpoints.ListAsync(new CheckpointQuery(threadId), Cancel))
        {
            _ = DueTask.Decode(checkpoint.Due);
            Assert.NotNull(await reader.FindAsync(run, "", checkpoint.Id, Cancel));
        }
        var at = (await reader.FindAsync(run, "", null, Cancel))!;
        foreach (var channel in outcome.State!.Channels.Channels)
        {
            Assert.Equal(Shown(outcome.State, channel.Name), Shown(at.State, channel.Name));
        }
        return true;

        static string Shown(Core.Channels.ChannelState state, string channel) =>
            new StateView(state).Json(channel) is { ValueKind: not JsonValueKind.Undefined } json ? JsonBytes.Compact(json) : "";
    }
}
