using AgentExecutor.Core;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Jobs;
using AgentExecutor.Core.Messaging;

namespace AgentExecutor.Server.Api;

/// <summary>
/// Reads a batch, and reports all errors of all events and their definitions. If one event is invalid, the whole batch is rejected, so that
/// the client can correct it and send it again.
/// </summary>
internal static class BatchRequests
{
    /// <exception cref="EventException">
    /// An event is invalid. The path of each error starts with the index of its event, as in <c>[1].data.job_id</c>.
    /// </exception>
    public static async Task<IReadOnlyList<JobRequest>> ReadAsync(
        ReadOnlyMemory<byte> body,
        JobAdmitter admitter,
        CancellationToken cancellationToken
    )
    {
        var entries = JobRequestReader.ReadBatch(body);
        var faults = new List<EventFault>();
        for (var i = 0; i < entries.Count; i++)
        {
            faults.AddRange(entries[i].Fault?.Faults ?? await CheckAsync(entries[i].Value!, i, admitter, cancellationToken));
        }
        return faults.Count == 0 ? [.. entries.Select(entry => entry.Value!)] : throw new EventException(FaultCodes.InvalidEvent, faults);
    }

    private static async Task<IReadOnlyList<EventFault>> CheckAsync(
        JobRequest request,
        int index,
        JobAdmitter admitter,
        CancellationToken cancellationToken
    )
    {
        try
        {
            await admitter.CheckAsync(request, cancellationToken);
            return [];
        }
        catch (DefinitionException definition)
        {
            return
            [
                .. definition.Faults.Select(fault => new EventFault(
                    $"[{index}].data.agent_definition{fault.Path.TrimStart('$')}",
                    fault.Message,
                    fault.Hint
                )),
            ];
        }
        catch (FaultException fault)
        {
            return
            [
                new EventFault(
                    $"[{index}].data",
                    fault.Message,
                    fault.Hint ?? "docs/agent-definition.md describes the definition and its input"
                ),
            ];
        }
    }
}
