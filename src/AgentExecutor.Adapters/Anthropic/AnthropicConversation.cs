using AgentExecutor.Adapters.ModelServers;
using AgentExecutor.Core.ModelProviders;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Adapters.Anthropic;

/// <summary>
/// A conversation in the structure that the API requires: the system prompt is separate, user and assistant alternate, the user is first
/// and last, and no text is empty. Consecutive messages of one side are merged. Later system messages become part of the user's turn.
/// </summary>
internal sealed class AnthropicConversation
{
    private readonly List<string> _system = [];
    private readonly List<Turn> _turns = [];
    private readonly CallIdMap _callIds;
    private readonly string _provider;

    private AnthropicConversation(string provider, ServerDemand demands) => (_provider, _callIds) = (provider, new CallIdMap(demands));

    public IReadOnlyList<string> System => _system;

    public IReadOnlyList<Turn> Turns => _turns;

    /// <summary>The tool calls of the conversation.</summary>
    public IReadOnlySet<string> CallIds => _callIds.Given;

    public bool HasThinking => _turns.Exists(turn => turn.Contents.Exists(content => content is ThinkingContent));

    public static AnthropicConversation Of(IEnumerable<ChatMessage> messages, string provider, ServerDemand demands)
    {
        var conversation = new AnthropicConversation(provider, demands);
        foreach (var message in messages)
        {
            conversation.Add(message);
        }
        conversation.Close();
        return conversation;
    }

    private void Add(ChatMessage message)
    {
        if (message.Role != ChatRole.System)
        {
            foreach (var content in message.Role == ChatRole.Assistant ? WithThinking(message) : Sent(message.Contents))
            {
                Add(message.Role == ChatRole.Assistant, OnWire(content, message));
            }
        }
        else if (!string.IsNullOrWhiteSpace(message.Text))
        {
            if (_turns.Count == 0)
            {
                _system.Add(message.Text);
            }
            else
            {
                Add(isAssistant: false, new TextContent($"<system>\n{message.Text}\n</system>"));
            }
        }
    }

    /// <summary>
    /// Returns the contents with each thinking block at its original position. An answer lists its calls last, so a block between two calls
    /// is placed before both. Blocks without other contents are not a message.
    /// </summary>
    private static IEnumerable<AIContent> WithThinking(ChatMessage message)
    {
        if (!Sent(message.Contents).Any())
        {
            yield break;
        }
        var (waiting, calls) = (new Queue<ThinkingContent>(), 0);
        foreach (var content in message.Contents)
        {
            if (content is TextReasoningContent thought && AnthropicThinking.Read(thought) is { } block)
            {
                waiting.Enqueue(new ThinkingContent(block, thought.Text));
            }
            else if (IsSent(content))
            {
                yield return content;
                calls += content is FunctionCallContent ? 1 : 0;
            }
            while (waiting.TryPeek(out var next) && next.Block.CallsBefore <= calls)
            {
                yield return waiting.Dequeue();
            }
        }
    }

    private static IEnumerable<AIContent> Sent(IEnumerable<AIContent> contents) => contents.Where(IsSent);

    private static bool IsSent(AIContent content) =>
        content switch
        {
            TextContent text => !string.IsNullOrWhiteSpace(text.Text),
            TextReasoningContent => false,
            _ => true,
        };

    /// <summary>Replaces the ids of tool calls and their results with those used on the wire.</summary>
    private AIContent OnWire(AIContent content, ChatMessage message) =>
        content switch
        {
            FunctionCallContent call => new FunctionCallContent(
                _callIds.Call(call.CallId, message.IsAnswerOf(_provider)),
                call.Name,
                call.Arguments
            ),
            FunctionResultContent result => new FunctionResultContent(_callIds.Result(result.CallId), result.Result)
            {
                Exception = result.Exception,
            },
            _ => content,
        };

    private void Add(bool isAssistant, AIContent content)
    {
        if (_turns.Count == 0 && isAssistant)
        {
            _turns.Add(new Turn(false, [new TextContent("(The conversation begins with your message.)")]));
        }
        if (_turns.Count == 0 || _turns[^1].IsAssistant != isAssistant)
        {
            _turns.Add(new Turn(isAssistant, []));
        }
        _turns[^1].Contents.Add(content);
    }

    /// <summary>Adds a user message at the end if necessary, because current models refuse to continue their own message.</summary>
    private void Close()
    {
        if (_turns.Count == 0 || _turns[^1].IsAssistant)
        {
            _turns.Add(new Turn(false, [new TextContent("(Go on.)")]));
        }
    }

    /// <summary>The consecutive contents of one side.</summary>
    public sealed record Turn(bool IsAssistant, List<AIContent> Contents);
}
