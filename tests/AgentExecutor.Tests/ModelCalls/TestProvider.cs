using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using AgentExecutor.Core;
using AgentExecutor.Core.Agents;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.ModelProviders;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Tests.ModelCalls;

/// <summary>A model server that gives the answers of a model in order, and repeats the last one.</summary>
public sealed class TestProvider(string name, params (string Model, TestAnswer[] Answers)[] models) : IModelProvider
{
    private readonly ConcurrentQueue<TestCall> _calls = [];

    public string Name => name;

    /// <summary>The calls so far in order.</summary>
    public IReadOnlyList<TestCall> Calls => [.. _calls];

    public IEnumerable<ModelFault> Check(ModelSpec spec) => [];

    public IChatClient CreateClient(ModelSpec spec) => new Client(this, spec.Model, models.Single(it => it.Model == spec.Model).Answers);

    public static AgentSpec Agent(string model, params string[] fallbacks) =>
        new() { Name = "agent", Model = Spec(model) with { Fallbacks = [.. fallbacks.Select(Spec)] } };

    private static ModelSpec Spec(string text) => ModelSpec.TryParse(text)!;

    private sealed class Client(TestProvider owner, string model, TestAnswer[] answers) : IChatClient
    {
        private int _asked;

        public Task<ChatResponse> GetResponseAsync(
            IEnumerable<ChatMessage> messages,
            ChatOptions? options,
            CancellationToken cancellationToken
        ) => throw new NotSupportedException("the runtime streams");

        public IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
            IEnumerable<ChatMessage> messages,
            ChatOptions? options,
            CancellationToken cancellationToken
        )
        {
            owner._calls.Enqueue(new TestCall(model, (AgentChatOptions)options!, [.. messages]));
            var turn = Math.Min(Interlocked.Increment(ref _asked), answers.Length) - 1;
            return answers[turn].StreamAsync(cancellationToken);
        }

        public object? GetService(Type serviceType, object? serviceKey) => null;

        public void Dispose()
        {
            // There is nothing to dispose.
        }
    }
}

/// <summary>A call that the test server received.</summary>
public sealed record TestCall(string Model, AgentChatOptions Options, IReadOnlyList<ChatMessage> Messages)
{
    public string Last => Messages[^1].Text;
}

/// <summary>How a test server answers one call: a real asynchronous stream.</summary>
public sealed class TestAnswer(Func<CancellationToken, IAsyncEnumerable<ChatResponseUpdate>> stream)
{
    public IAsyncEnumerable<ChatResponseUpdate> StreamAsync(CancellationToken cancellationToken) => stream(cancellationToken);

    /// <summary>Streams the text with one word per chunk.</summary>
    public static TestAnswer Text(string text, TokenUsage? usage = null, string finish = "stop", string? model = null) =>
        new(token => WordsAsync(text, null, usage, finish, model, token));

    /// <summary>Streams these updates.</summary>
    public static TestAnswer Of(params ChatResponseUpdate[] updates) => new(_ => updates.ToAsyncEnumerable());

    public static TestAnswer Call(string tool, string finish = "tool_calls", FunctionCallContent? call = null, TokenUsage? usage = null) =>
        new(token =>
            WordsAsync("", call ?? new FunctionCallContent("c1", tool, new Dictionary<string, object?>()), usage, finish, null, token)
        );

    /// <summary>Fails after streaming the text, if there is any.</summary>
    public static TestAnswer Fault(
        string code,
        bool isTransient = true,
        double? retryAfter = null,
        string shown = "",
        TokenUsage? usage = null
    ) =>
        new(token =>
            FailAsync(
                shown,
                usage,
                new FaultException(code, $"configured to fail with {code}")
                {
                    IsTransient = isTransient,
                    RetryAfter = retryAfter is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
                },
                token
            )
        );

    /// <summary>Throws an exception that no provider should throw.</summary>
    public static TestAnswer Throws(Exception exception) => new(token => FailAsync("", null, exception, token));

    /// <summary>Streams a text and then never anything again. It can be set to ignore cancellation.</summary>
    public static TestAnswer Hang(string shown = "", bool isDeaf = false) => new(token => HangAsync(shown, isDeaf, token));

    /// <summary>Answers when the test permits it.</summary>
    public static TestAnswer When(Task released, string text) => new(token => WhenAsync(released, text, token));

    private static async IAsyncEnumerable<ChatResponseUpdate> WordsAsync(
        string text,
        FunctionCallContent? call,
        TokenUsage? usage,
        string finish,
        string? model,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        foreach (var word in Words(text))
        {
            await Task.Yield();
            cancellationToken.ThrowIfCancellationRequested();
            yield return word;
        }
        if (call is not null)
        {
            yield return new ChatResponseUpdate(ChatRole.Assistant, [call]);
        }
        await Task.Yield();
        yield return new ChatResponseUpdate(ChatRole.Assistant, usage is { } used ? [Usage(used)] : [])
        {
            FinishReason = new ChatFinishReason(finish),
            ModelId = model,
        };
    }

    private static async IAsyncEnumerable<ChatResponseUpdate> FailAsync(
        string shown,
        TokenUsage? usage,
        Exception fault,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        foreach (var word in Words(shown))
        {
            await Task.Yield();
            cancellationToken.ThrowIfCancellationRequested();
            yield return word;
        }
        if (usage is { } used)
        {
            yield return new ChatResponseUpdate(ChatRole.Assistant, [Usage(used)]);
        }
        await Task.Yield();
        throw fault;
    }

    private static async IAsyncEnumerable<ChatResponseUpdate> HangAsync(
        string shown,
        bool isDeaf,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        foreach (var word in Words(shown))
        {
            yield return word;
        }
        await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, isDeaf ? CancellationToken.None : cancellationToken);
    }

    private static async IAsyncEnumerable<ChatResponseUpdate> WhenAsync(
        Task released,
        string text,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        await released.WaitAsync(cancellationToken);
        yield return new ChatResponseUpdate(ChatRole.Assistant, text) { FinishReason = ChatFinishReason.Stop };
    }

    private static IEnumerable<ChatResponseUpdate> Words(string text) =>
        text.Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .Select((word, i) => new ChatResponseUpdate(ChatRole.Assistant, i == 0 ? word : " " + word));

    private static UsageContent Usage(TokenUsage usage) =>
        new(
            new UsageDetails
            {
                InputTokenCount = usage.Input,
                OutputTokenCount = usage.Output,
                CachedInputTokenCount = usage.CachedInput,
                ReasoningTokenCount = usage.Reasoning,
            }.WithCacheWrite(usage.CacheWrite)
        );
}
