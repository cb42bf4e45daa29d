using System.Diagnostics;
using AgentExecutor.Core.Events;

namespace AgentExecutor.Server.View;

/// <summary>
/// The time that a run has been executing, from the times of its events and, after the last event, from the local clock. Viewers that join
/// late therefore show the same time, and the clocks of two machines need not agree.
/// </summary>
internal sealed class RunClock
{
    private readonly Stopwatch _since = Stopwatch.StartNew();
    private DateTimeOffset? _began;
    private double _before;
    private double _seconds;
    private bool _hasEnded;

    public double Seconds => _hasEnded ? _seconds : _seconds + _since.Elapsed.TotalSeconds;

    public void Apply(EventEnvelope envelope)
    {
        if (_began is null || _hasEnded)
        {
            (_began, _before) = (envelope.Time, _seconds); // the run continues after an answer; the time in between does not count
        }
        _hasEnded = envelope.Event is RunEvent.Ended;
        _seconds = envelope.Event is RunEvent.Ended end
            ? end.Usage.ActiveSeconds
            : Math.Max(_seconds, _before + (envelope.Time - _began.Value).TotalSeconds);
        _since.Restart();
    }
}
