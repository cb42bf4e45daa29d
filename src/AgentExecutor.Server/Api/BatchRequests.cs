using AgentExecutor.Core;
using AgentExecutor.Core.Graphs.Definitions;
using AgentExecutor.Core.Jobs;
using AgentExecutor.Core.Messaging;

namespace AgentExecutor.Server.Api;

/// <summary>Reads a batch: every fault of every event, of its definition too. One bad event keeps the whole batch out, so that sending it again does no harm.</summary>
internal static class BatchRequests
{
    /// <exception cref="EventException">Some event is at fault; the faults' paths begin with its place, as in <c>[1].data.job_id</c>.</exception>
    public static IReadOnlyList<JobRequest> Read(ReadOnlyMemory<byte> body, JobDesk desk)
    {
        var entries = JobRequestReader.ReadBatch(body);
        var faults = entries.SelectMany((entry, index) => entry.Fault?.Faults ?? Check(entry.Value!, index, desk)).ToList();
        return faults.Count == 0 ? [.. entries.Select(entry => entry.Value!)] : throw new EventException(FaultCodes.InvalidEvent, faults);
    }

    private static IReadOnlyList<EventFault> Check(JobRequest request, int index, JobDesk desk)
    {
        try
        {
            desk.Check(request);
            return [];
        }
        catch (DefinitionException definition)
        {
            return [.. definition.Faults.Select(fault => new EventFault($"[{index}].data.agent_definition{fault.Path.TrimStart('$')}", fault.Message, fault.Hint))];
        }
        catch (FaultException fault)
        {
            return [new EventFault($"[{index}].data", fault.Message, fault.Hint ?? "see the documentation of the definition and its input")];
        }
    }
}
