using System.Diagnostics;
using AgentExecutor.Core.Events;

namespace AgentExecutor.Server.View;

/// <summary>
/// How long a run has been at work, by the times of its events and, since the last of them, by our own clock: whoever comes late sees the same, and two machines' clocks
/// need not agree.
/// </summary>
internal sealed class RunClock
{
    private readonly Stopwatch _since = Stopwatch.StartNew();
    private DateTimeOffset? _began;
    private double _before;
    private double _told;
    private bool _hasEnded;

    public double Seconds => _hasEnded ? _told : _told + _since.Elapsed.TotalSeconds;

    public void Apply(EventEnvelope envelope)
    {
        if (_began is null || _hasEnded)
        {
            (_began, _before) = (envelope.Time, _told); // it goes on after an answer: the time in which nobody worked does not count
        }
        _hasEnded = envelope.Event is RunEvent.Ended;
        _told = envelope.Event is RunEvent.Ended end ? end.Usage.ActiveSeconds : Math.Max(_told, _before + (envelope.Time - _began.Value).TotalSeconds);
        _since.Restart();
    }
}
