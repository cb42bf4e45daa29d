using Microsoft.Extensions.AI;

namespace AgentExecutor.Adapters.Anthropic;

/// <summary>
/// A conversation in the order that the API asks for: the system prompt apart, user and assistant by turns, beginning and ending with the user, no empty texts.
/// Messages of one side that follow each other become one; a later system message is told to the model in the user's turn.
/// </summary>
internal sealed class AnthropicConversation
{
    private readonly List<string> _system = [];
    private readonly List<Turn> _turns = [];
    private readonly HashSet<string> _callIds = new(StringComparer.Ordinal);

    private AnthropicConversation()
    {
    }

    public IReadOnlyList<string> System => _system;

    public IReadOnlyList<Turn> Turns => _turns;

    /// <summary>The tool calls that it holds.</summary>
    public IReadOnlySet<string> CallIds => _callIds;

    public bool HasThinking => _turns.Exists(turn => turn.Contents.Exists(content => content is ThinkingContent));

    public static AnthropicConversation Of(IEnumerable<ChatMessage> messages)
    {
        var conversation = new AnthropicConversation();
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
            foreach (var content in message.Role == ChatRole.Assistant ? WithThinking(message) : Told(message.Contents))
            {
                Add(message.Role == ChatRole.Assistant, content);
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

    /// <summary>Each thinking block where the model put it: an answer tells its calls last, and so a block between two of them before both. Blocks alone are no message.</summary>
    private static IEnumerable<AIContent> WithThinking(ChatMessage message)
    {
        if (!Told(message.Contents).Any())
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
            else if (IsTold(content))
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

    private static IEnumerable<AIContent> Told(IEnumerable<AIContent> contents) => contents.Where(IsTold);

    private static bool IsTold(AIContent content) => content switch
    {
        TextContent text => !string.IsNullOrWhiteSpace(text.Text),
        TextReasoningContent => false,
        _ => true,
    };

    private void Add(bool isAssistant, AIContent content)
    {
        if (content is FunctionCallContent call)
        {
            _callIds.Add(call.CallId);
        }
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

    /// <summary>Current models refuse to go on with a message of their own.</summary>
    private void Close()
    {
        if (_turns.Count == 0 || _turns[^1].IsAssistant)
        {
            _turns.Add(new Turn(false, [new TextContent("(Go on.)")]));
        }
    }

    /// <summary>All that one side says until the other does.</summary>
    public sealed record Turn(bool IsAssistant, List<AIContent> Contents);
}
