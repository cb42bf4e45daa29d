using System.Text;
using System.Text.Json;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.ModelProviders.Scripted;
using AgentExecutor.Core.Recording;
using AgentExecutor.Core.Tools;
using AgentExecutor.Tests.Agents;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Tests.Recording;

/// <summary>A recording in memory, which is written first and then read and replayed.</summary>
public sealed class TestRecording : IDisposable
{
    private readonly MemoryStream _stream = new();
    private readonly RecordingWriter _writer;
    private readonly string[] _secrets;

    public TestRecording(params string[] secrets)
    {
        _secrets = secrets;
        _stream.Write(RecordingFormat.Header);
        _writer = new RecordingWriter(_stream, "test.jsonl");
        Recorder = new Recorder(_writer, new Redaction(secrets));
    }

    public Recorder Recorder { get; }

    /// <summary>The current content of the file.</summary>
    public string Text => Encoding.UTF8.GetString(_stream.ToArray());

    public Task<RecordedExchanges> ReadAsync() => ReadAsync(_stream.ToArray());

    public static Task<RecordedExchanges> ReadAsync(byte[] bytes) =>
        RecordingReader.ReadAsync(new MemoryStream(bytes), "test.jsonl", TestContext.Current.CancellationToken);

    public async Task<Replayer> ReplayAsync() => new(new ReplayIndex((await ReadAsync()).All), new Redaction(_secrets), "test.jsonl");

    public static IModelProvider Scripted { get; } = new ScriptedProvider(TimeProvider.System);

    public static ModelSpec Spec(string script) => TestAgents.Scripted("a", script).Model;

    /// <summary>Returns what a client streams for one user message, and the fault with which the stream ended.</summary>
    public static async Task<(List<ChatResponseUpdate> Updates, Exception? Fault)> AskAsync(
        IChatClient client,
        string text = "x",
        int attempt = 1
    )
    {
        var updates = new List<ChatResponseUpdate>();
        try
        {
            var options = new AgentChatOptions { Agent = "a", Attempt = attempt };
            await foreach (
                var update in client.GetStreamingResponseAsync(
                    [new ChatMessage(ChatRole.User, text)],
                    options,
                    TestContext.Current.CancellationToken
                )
            )
            {
                updates.Add(update);
            }
            return (updates, null);
        }
        catch (Exception fault) when (fault is not OperationCanceledException)
        {
            return (updates, fault);
        }
    }

    public static string TextOf(IEnumerable<ChatResponseUpdate> updates) => string.Concat(updates.Select(update => update.Text));

    public void Dispose()
    {
        _writer.Dispose();
        _stream.Dispose();
    }
}

/// <summary>Tools that count as outside of the process. Each answers with the given function.</summary>
public sealed class TestToolSource(Func<JsonElement, string> answer) : IToolSource
{
    public string RuntimeType => "http";

    public IEnumerable<ToolFault> Check(ToolDefinition definition) => [];

    public Tool Create(ToolDefinition definition) => new OutsideTool(definition.Name, answer);

    public static ToolDefinition Definition { get; } =
        new()
        {
            Name = "desk",
            Runtime = new ToolRuntimeDefinition
            {
                Url = "https://user:pass-word-1@desk.example/rates",
                Headers = new Dictionary<string, JsonElement>
                {
                    ["Authorization"] = JsonBytes.Text("Bearer header-key-22"),
                    ["Accept"] = JsonBytes.Text("application/json"),
                },
            },
        };

    private sealed class OutsideTool(string name, Func<JsonElement, string> answer) : Tool
    {
        public override string Name => name;

        public override string Description => "Outside.";

        public override JsonElement Parameters { get; } = JsonElement.Parse("""{"type": "object"}""");

        public override ToolEffects Effects => ToolEffects.Once;

        public override ValueTask<ToolResult> InvokeAsync(
            JsonElement arguments,
            ToolContext context,
            CancellationToken cancellationToken
        ) => ValueTask.FromResult<ToolResult>(answer(arguments));
    }
}
