namespace AgentExecutor.Core.Sessions;

/// <summary>
/// Tracks whether a run only waits, so that its worker can execute another run in the meantime. A run has one activity, and one more for
/// each task that runs in parallel. The run waits when all of its activities wait.
/// </summary>
/// <param name="onWaitingChanged">
/// Called with true when the run begins to wait, and with false when it continues. The calls are made one at a time while a lock is held,
/// so they must be short.
/// </param>
public sealed class RunActivity(Action<bool>? onWaitingChanged = null)
{
    private readonly Lock _gate = new();
    private int _active = 1;

    public void Begin(int count = 1) => Change(count);

    public void End(int count = 1) => Change(-count);

    private void Change(int by)
    {
        lock (_gate)
        {
            var wasWaiting = _active == 0;
            _active += by;
            if (wasWaiting != (_active == 0))
            {
                onWaitingChanged?.Invoke(!wasWaiting);
            }
        }
    }
}
