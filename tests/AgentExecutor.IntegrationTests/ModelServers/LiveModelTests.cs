using AgentExecutor.Adapters.ModelServers;
using AgentExecutor.Core;
using AgentExecutor.Core.ModelProviders;
using Microsoft.Extensions.AI;
using static AgentExecutor.IntegrationTests.ModelServers.ModelTest;

namespace AgentExecutor.IntegrationTests.ModelServers;

/// <summary>The real providers, if the environment contains a key. A run costs a few cents.</summary>
public sealed class LiveModelTests
{
    private static readonly ModelServerSettings Settings = new()
    {
        OpenaiApiKey = new Secret(Environment.GetEnvironmentVariable("OPENAI_API_KEY")),
        AnthropicApiKey = new Secret(Environment.GetEnvironmentVariable("ANTHROPIC_API_KEY")),
    };

    [Theory]
    [InlineData(Gpt)]
    [InlineData(Claude)]
    public async Task A_model_calls_a_tool_and_uses_what_it_says(string provider)
    {
        var variable = provider == Gpt ? "OPENAI_API_KEY" : "ANTHROPIC_API_KEY";
        Assert.SkipUnless((provider == Gpt ? Settings.OpenaiApiKey : Settings.AnthropicApiKey).IsSet, $"{variable} is not set");
        var client = Client(
            Settings,
            new ModelSpec
            {
                Provider = provider,
                Model = provider == Gpt ? "gpt-6-luna" : "claude-haiku-5-5",
                MaxTokens = 2_000,
            }
        );
        var messages = new List<ChatMessage>
        {
            new(ChatRole.System, "Always use lookup."),
            new(ChatRole.User, "What does the word 'zorbling' mean?"),
        };

        var asked = await AskAsync(client, messages, Options(Lookup));
        messages.Add(new ChatMessage(ChatRole.Assistant, [.. asked.Calls]));
        messages.AddRange(
            asked.Calls.Select(call => new ChatMessage(
                ChatRole.Tool,
                [new FunctionResultContent(call.CallId, "zorbling: the act of folding maps")]
            ))
        );
        var answered = await AskAsync(client, messages, Options(Lookup));

        Assert.Equal(ChatFinishReason.ToolCalls, asked.FinishReason);
        Assert.Contains("map", answered.Text, StringComparison.OrdinalIgnoreCase);
        Assert.True(answered.Usage!.InputTokenCount > 0 && answered.Usage.OutputTokenCount > 0);
    }
}
