using ModelContextProtocol.Protocol;

namespace AgentExecutor.Adapters.Mcp;

/// <summary>
/// Passes the questions of a server (elicitation) to the call that caused them. Since the revision 2026-07-28 of the protocol, a question
/// is part of the answer to its call. Earlier revisions do not tell which call caused a question: it belongs to the only call in progress.
/// If there are several, the question is cancelled, and from then on calls are made one after another.
/// </summary>
internal sealed class McpQuestions : IDisposable
{
    private readonly AsyncLocal<McpCall?> _current = new();
    private readonly List<McpCall> _calls = [];
    private readonly Lock _gate = new();
    private readonly SemaphoreSlim _turn = new(1, 1);
    private volatile bool _isOneAtATime;

    /// <summary>Registers a call until the returned object is disposed.</summary>
    public async ValueTask<IDisposable> BeginAsync(McpCall call, CancellationToken cancellationToken)
    {
        var takesTurn = _isOneAtATime;
        if (takesTurn)
        {
            await _turn.WaitAsync(cancellationToken);
        }
        lock (_gate)
        {
            _calls.Add(call);
        }
        return new Place(this, call, takesTurn);
    }

    /// <summary>Marks the call in whose flow the following requests are made.</summary>
    public void Enter(McpCall call) => _current.Value = call;

    public ValueTask<ElicitResult> AnswerAsync(ElicitRequestParams? question, CancellationToken cancellationToken)
    {
        var call = _current.Value ?? OnlyCall();
        return call is null || question is null
            ? ValueTask.FromResult(new ElicitResult { Action = "cancel" })
            : call.AnswerAsync(question, cancellationToken);
    }

    public void Dispose() => _turn.Dispose();

    private McpCall? OnlyCall()
    {
        lock (_gate)
        {
            if (_calls is [var only])
            {
                return only;
            }
            _isOneAtATime = true;
            return null;
        }
    }

    private void End(McpCall call, bool tookTurn)
    {
        lock (_gate)
        {
            _calls.Remove(call);
        }
        if (tookTurn)
        {
            _turn.Release();
        }
    }

    private sealed class Place(McpQuestions questions, McpCall call, bool tookTurn) : IDisposable
    {
        public void Dispose() => questions.End(call, tookTurn);
    }
}
