using System.Text.Json;
using AgentExecutor.Adapters;
using AgentExecutor.Adapters.ModelServers;
using AgentExecutor.Core;
using AgentExecutor.Core.ModelProviders;
using Microsoft.Extensions.AI;
using ModelServer = AgentExecutor.IntegrationTests.Servers.ModelServer;

namespace AgentExecutor.IntegrationTests.ModelServers;

/// <summary>Clients of the providers as the program configures them, with the address of a test server.</summary>
internal static class ModelTest
{
    public const string Gpt = "openai",
        Claude = "anthropic",
        Compatible = "openai-compatible",
        Ollama = "ollama";

    public static readonly AIFunctionDeclaration Lookup = AIFunctionFactory.CreateDeclaration(
        "lookup",
        "Looks a word up.",
        JsonElement.Parse("""{"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]}""")
    );

    public static ModelServerSettings SettingsFor(ModelServer server) =>
        new()
        {
            OpenaiApiKey = new Secret(ModelServer.Key),
            OpenaiBaseUrl = server.OpenAIUrl,
            AnthropicApiKey = new Secret(ModelServer.Key),
            AnthropicBaseUrl = server.Url,
            OllamaApiKey = new Secret(ModelServer.Key),
            OllamaBaseUrl = server.OpenAIUrl,
            OpenaiCompatibleApiKey = new Secret(ModelServer.Key),
            OpenaiCompatibleBaseUrl = server.OpenAIUrl,
        };

    public static IChatClient Client(ModelServer server, string provider) =>
        Client(SettingsFor(server), new ModelSpec { Provider = provider, Model = ModelOf(provider) });

    public static IChatClient Client(ModelServerSettings settings, ModelSpec spec) =>
        new ModelCatalog(AdapterCatalog.ModelProviders(settings, TimeProvider.System)).CreateClient(spec);

    public static string ModelOf(string provider) =>
        provider switch
        {
            Gpt => "gpt-5-mini",
            Claude => "claude-haiku-4-5",
            _ => "llama3.2",
        };

    public static AgentChatOptions Options(params IList<AITool> tools) => new() { Agent = "a", Tools = tools.Count > 0 ? tools : null };

    public static Task<Answer> AskAsync(IChatClient client, string text = "Hi", ChatOptions? options = null) =>
        AskAsync(client, [new ChatMessage(ChatRole.User, text)], options);

    public static async Task<Answer> AskAsync(IChatClient client, IEnumerable<ChatMessage> messages, ChatOptions? options = null)
    {
        var answer = new Answer();
        await foreach (
            var update in client.GetStreamingResponseAsync(messages, options ?? Options(), TestContext.Current.CancellationToken)
        )
        {
            answer.Take(update);
        }
        return answer;
    }

    /// <summary>The fault with which a call ends.</summary>
    public static async Task<FaultException> FaultAsync(ModelServer server, string provider, ChatOptions? options = null) =>
        await Assert.ThrowsAnyAsync<FaultException>(() => AskAsync(Client(server, provider), "Hi", options));
}

/// <summary>An answer that was collected from its stream.</summary>
internal sealed class Answer
{
    private static readonly JsonSerializerOptions Readable = new()
    {
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    private readonly List<AIContent> _contents = [];

    public string Text => string.Concat(_contents.OfType<TextContent>().Select(it => it.Text));

    public int TextChunks => _contents.OfType<TextContent>().Count();

    public string Reasoning => string.Concat(_contents.OfType<TextReasoningContent>().Select(it => it.Text));

    public IReadOnlyList<FunctionCallContent> Calls => [.. _contents.OfType<FunctionCallContent>()];

    public UsageDetails? Usage => _contents.OfType<UsageContent>().SingleOrDefault()?.Details;

    public ChatFinishReason? FinishReason { get; private set; }

    public string? ModelId { get; private set; }

    public void Take(ChatResponseUpdate update)
    {
        _contents.AddRange(update.Contents);
        FinishReason = update.FinishReason ?? FinishReason;
        ModelId = update.ModelId ?? ModelId;
    }

    /// <summary>Name and arguments of each call.</summary>
    public IEnumerable<string> CallTexts => Calls.Select(call => $"{call.Name} {JsonSerializer.Serialize(call.Arguments, Readable)}");
}
