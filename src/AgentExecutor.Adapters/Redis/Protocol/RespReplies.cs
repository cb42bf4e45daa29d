namespace AgentExecutor.Adapters.Redis.Protocol;

/// <summary>Takes the answers to some commands that were sent together, in their order, on the loop that reads: so nothing here may block or throw.</summary>
internal abstract class RespReplies(int count)
{
    /// <summary>Answers that are still to come.</summary>
    public int Remaining { get; private set; } = count;

    /// <summary>False where errors alone are of interest.</summary>
    public virtual bool IsKept => true;

    protected int Index { get; private set; }

    /// <param name="value">Null where it is no error and not kept.</param>
    public void Take(RespValue? value)
    {
        Remaining--;
        Received(value);
        Index++;
    }

    /// <summary>The connection ended before all answers came.</summary>
    public abstract void Fail(RedisException fault);

    protected abstract void Received(RespValue? value);
}

/// <summary>One answer that somebody waits for; an error is an answer too.</summary>
internal sealed class OneReply() : RespReplies(1)
{
    private readonly TaskCompletionSource<RespValue> _reply = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task<RespValue> Task => _reply.Task;

    public override void Fail(RedisException fault)
    {
        _reply.TrySetException(fault.Again());
        _ = _reply.Task.Exception; // seen, also where its caller was cancelled
    }

    protected override void Received(RespValue? value) => _reply.TrySetResult(value!);
}

/// <summary>An answer that only shows that the server is there.</summary>
internal sealed class NoReply() : RespReplies(1)
{
    public override bool IsKept => false;

    public override void Fail(RedisException fault)
    {
    }

    protected override void Received(RespValue? value)
    {
    }
}

/// <summary>What the server would not do.</summary>
/// <param name="Index">The command's place in its batch.</param>
internal readonly record struct RespError(int Index, string Text);

/// <summary>The answers to a batch: errors are kept, the others are only awaited.</summary>
internal sealed class BatchReplies(int count) : RespReplies(count)
{
    private readonly TaskCompletionSource<IReadOnlyList<RespError>> _errors = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<RespError> _found = [];

    public Task<IReadOnlyList<RespError>> Task => _errors.Task;

    public override bool IsKept => false;

    public override void Fail(RedisException fault)
    {
        _errors.TrySetException(fault.Again());
        _ = _errors.Task.Exception;
    }

    protected override void Received(RespValue? value)
    {
        if (value is { IsError: true })
        {
            var text = value.Text;
            _found.Add(new RespError(Index, _found is [.., var last] && last.Text == text ? last.Text : text)); // one text for a hundred thousand of the same
        }
        if (Remaining == 0)
        {
            _errors.TrySetResult(_found);
        }
    }
}
