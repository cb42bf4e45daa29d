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
    public static IReadOnlyList<JobRequest> Read(ReadOnlyMemory<byte> body, JobAdmitter admitter)
    {
        var entries = JobRequestReader.ReadBatch(body);
        var faults = entries.SelectMany((entry, index) => entry.Fault?.Faults ?? Check(entry.Value!, index, admitter)).ToList();
        return faults.Count == 0 ? [.. entries.Select(entry => entry.Value!)] : throw new EventException(FaultCodes.InvalidEvent, faults);
    }

    private static IReadOnlyList<EventFault> Check(JobRequest request, int index, JobAdmitter admitter)
    {
        try
        {
            admitter.Check(request);
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
