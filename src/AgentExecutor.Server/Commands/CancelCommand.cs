using System.CommandLine;
using AgentExecutor.Adapters;
using AgentExecutor.Core;
using AgentExecutor.Core.Runs;
using AgentExecutor.Server.Commands.Remote;
using AgentExecutor.Server.Commands.Reports;
using AgentExecutor.Server.Composition;
using AgentExecutor.Server.Locks;
using AgentExecutor.Server.Settings;

namespace AgentExecutor.Server.Commands;

/// <summary><c>agent-executor cancel</c>.</summary>
internal static class CancelCommand
{
    public static Command Create()
    {
        var thread = CommonOptions.Thread();
        var to = CommonOptions.To(
            "Default: the PostgreSQL store if it is configured, otherwise the service on this machine, otherwise the embedded database."
        );
        var dataDir = CommonOptions.DataDir();
        var command = new Command("cancel", "Cancel the run of a thread. A waiting run ends at once; a worker stops a running one.")
        {
            thread,
            to,
            dataDir,
        };
        command.Validators.Add(result =>
        {
            if (result.GetResult(to) is not null && result.GetResult(dataDir) is not null)
            {
                result.AddError("--to and --data-dir cannot be combined: a service uses its own store");
            }
        });
        command.SetAction(
            async (result, cancellationToken) =>
            {
                var threadId = result.GetValue(thread)!;
                var settings = CommonOptions.Settings(result, result.GetValue(dataDir));
                var isDone = await CancelAsync(
                    settings,
                    threadId,
                    result.GetValue(to),
                    result.GetValue(dataDir) is not null,
                    cancellationToken
                );
                Console.WriteLine(
                    isDone ? $"thread {threadId} cancelled" : $"thread {threadId} is being cancelled; its worker stops the run"
                );
                return ExitCode.Success;
            }
        );
        return command;
    }

    private static async Task<bool> CancelAsync(
        ServerSettings settings,
        string threadId,
        string? to,
        bool isEmbedded,
        CancellationToken cancellationToken
    )
    {
        if (to is null && (isEmbedded || AdapterCatalog.IsNamed(settings.Postgres)))
        {
            return await CancelInStoreAsync(settings, threadId, cancellationToken);
        }
        using var service = new ServiceThreads(CommonOptions.Service(settings, to));
        try
        {
            return await service.CancelAsync(threadId, cancellationToken);
        }
        catch (FaultException fault) when (to is null && fault.IsTransient && AdapterCatalog.HasSqlite(settings.DataDir))
        {
            return await CancelInStoreAsync(settings, threadId, cancellationToken); // no service uses the embedded database
        }
    }

    private static async Task<bool> CancelInStoreAsync(ServerSettings settings, string threadId, CancellationToken cancellationToken)
    {
        await using var app = await CommandServices.OpenAsync(settings, cancellationToken);
        using var threadLock = app.Queue is null ? ThreadLock.Take(settings.DataDir, threadId) : null;
        var run = await app.Control.CancelAsync(threadId, cancellationToken);
        return run.Status is RunStatus.Completed or RunStatus.Failed
            ? throw new FaultException(
                FaultCodes.NothingToCancel,
                $"the thread '{threadId}' is {run.Status.ToString().ToLowerInvariant()}; there is nothing to cancel",
                $"show it with: agent-executor show {threadId}"
            )
            : run.Status == RunStatus.Cancelled;
    }
}
