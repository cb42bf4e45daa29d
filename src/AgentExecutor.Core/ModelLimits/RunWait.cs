namespace AgentExecutor.Core.ModelLimits;

/// <summary>Performs a wait on behalf of a run, which gives up its slot at the worker until the wait is over.</summary>
/// <param name="wait">The wait itself.</param>
/// <param name="cancellationToken">Cancels the wait.</param>
public delegate ValueTask RunWait(Func<CancellationToken, ValueTask> wait, CancellationToken cancellationToken);
