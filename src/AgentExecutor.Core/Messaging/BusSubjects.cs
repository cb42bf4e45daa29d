namespace AgentExecutor.Core.Messaging;

/// <summary>Maps subjects to streams.</summary>
public static class BusSubjects
{
    /// <summary>Jobs: <c>agent.execute.TOKEN</c>.</summary>
    public const string Jobs = "agent.execute.";

    /// <summary>Results: <c>agent.status.completed</c>, <c>.failed</c>, <c>.interrupted</c>, <c>.cancelled</c>.</summary>
    public const string Results = "agent.status.";

    /// <summary>Messages that could not be processed: <c>agent.dead-letter.TOKEN</c>, with the token of the job's subject.</summary>
    public const string DeadLetters = "agent.dead-letter.";

    /// <summary>Calls of tools that are executed elsewhere: <c>agent.tool.requests.TOOL</c>.</summary>
    public const string ToolRequests = "agent.tool.requests.";

    /// <summary>The results of such calls.</summary>
    public const string ToolResults = "agent.tool.results";

    /// <summary>Answers to questions: <c>agent.resume.TOKEN</c>.</summary>
    public const string Answers = "agent.resume.";

    private static readonly System.Buffers.SearchValues<char> NoToken = System.Buffers.SearchValues.Create(" .*>\t\r\n");

    /// <exception cref="FaultException">No stream takes the subject (<see cref="FaultCodes.UnknownSubject"/>).</exception>
    public static BusStream StreamOf(string subject)
    {
        var stream =
            subject.StartsWith(Jobs, StringComparison.Ordinal) ? BusStream.Jobs
            : subject.StartsWith(Results, StringComparison.Ordinal) ? BusStream.Results
            : subject.StartsWith(DeadLetters, StringComparison.Ordinal) ? BusStream.DeadLetters
            : subject.StartsWith(ToolRequests, StringComparison.Ordinal) ? BusStream.ToolRequests
            : subject == ToolResults || subject.StartsWith(Answers, StringComparison.Ordinal) ? BusStream.Inbox
            : (BusStream?)null;
        return stream is { } found && (subject == ToolResults || IsToken(subject.AsSpan(PrefixOf(found).Length)))
            ? found
            : throw new FaultException(FaultCodes.UnknownSubject, $"no stream takes the subject '{subject}'", $"publish to {Jobs}TOKEN");
    }

    public static string PrefixOf(BusStream stream) =>
        stream switch
        {
            BusStream.Jobs => Jobs,
            BusStream.Results => Results,
            BusStream.ToolRequests => ToolRequests,
            BusStream.Inbox => Answers,
            _ => DeadLetters,
        };

    /// <summary>Returns the subject of the calls of a tool.</summary>
    public static string ToolRequestOf(string tool) => IsToken(tool) ? $"{ToolRequests}{tool}" : $"{ToolRequests}unnamed";

    /// <summary>
    /// Returns the subject for the dead letter of a message. NATS accepts tokens that this program does not publish to, such as those that
    /// contain a wildcard character. Their dead letters get the token <c>unnamed</c>.
    /// </summary>
    public static string DeadLetterOf(string subject)
    {
        var token = subject.AsSpan(subject.LastIndexOf('.') + 1);
        return IsToken(token) ? $"{DeadLetters}{token}" : $"{DeadLetters}unnamed";
    }

    /// <summary>Returns true for one valid part of a subject: visible characters without wildcards.</summary>
    private static bool IsToken(ReadOnlySpan<char> token) =>
        !token.IsEmpty && !token.ContainsAny(NoToken) && !token.ContainsAnyInRange('\0', ' ');
}
