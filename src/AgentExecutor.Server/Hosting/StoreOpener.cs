using AgentExecutor.Core;
using AgentExecutor.Server.Locks;
using AgentExecutor.Server.Settings;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Server.Hosting;

/// <summary>
/// Opens the store, and then the service. The pods of a deployment start in any order, so this class retries while the database server
/// cannot be reached or its schema has not been migrated. Meanwhile <c>/ready</c> contains the reason. Any other error stops the program.
/// <para>
/// For an embedded store, this class holds the lock of the data directory. The container disposes this class, and therefore the lock, after
/// the store.
/// </para>
/// </summary>
internal sealed class StoreOpener(
    ServerSettings settings,
    Func<Service> open,
    ServiceGate gate,
    Readiness readiness,
    TimeProvider time,
    ILoggerFactory loggers
) : BackgroundService
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(1);

    private readonly ILogger _logger = loggers.CreateLogger("AgentExecutor.Server");
    private LockFile? _lock;

    public override void Dispose()
    {
        _lock?.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        string? reported = null;
        while (!await TryOpenAsync(stoppingToken))
        {
            if (gate.WaitReason is { } reason && reason != reported)
            {
                reported = reason;
                await readiness.ProbeAsync(stoppingToken); // so that /ready contains the reason at once
                Log.StoreUnavailable(_logger, reason);
            }
            await Task.Delay(RetryDelay, time, stoppingToken);
        }
        await readiness.ProbeAsync(stoppingToken);
    }

    private async Task<bool> TryOpenAsync(CancellationToken stoppingToken)
    {
        try
        {
            if (StoreChoice.IsEmbedded(settings))
            {
                _lock ??= ServiceLock.Take(settings.DataDir);
            }
            await StoreChoice.CheckAsync(settings, time, loggers, stoppingToken);
            gate.Open(open());
            return true;
        }
        catch (FaultException fault) when (fault.Code == FaultCodes.StoreUnavailable)
        {
            gate.WaitReason = fault.Hint is null ? fault.Message : $"{fault.Message}: {fault.Hint}";
            return false;
        }
    }
}
