namespace AgentExecutor.Core.Runs;

/// <summary>
/// Knows whether a run does anything but wait, so that its worker can take another in its place. A run has one strand, and one more for each task that runs beside
/// others; it waits when all of them do.
/// </summary>
/// <param name="told">Called with true when the run begins to wait, with false when it goes on; in turn, and not for long.</param>
public sealed class RunActivity(Action<bool>? told = null)
{
    private readonly Lock _gate = new();
    private int _strands = 1;

    public void Begin(int strands = 1) => Change(strands);

    public void End(int strands = 1) => Change(-strands);

    private void Change(int by)
    {
        lock (_gate)
        {
            var wasWaiting = _strands == 0;
            _strands += by;
            if (wasWaiting != (_strands == 0))
            {
                told?.Invoke(!wasWaiting);
            }
        }
    }
}
