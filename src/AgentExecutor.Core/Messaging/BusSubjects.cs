namespace AgentExecutor.Core.Messaging;

/// <summary>Which subjects belong to which stream.</summary>
public static class BusSubjects
{
    /// <summary>Jobs: <c>agent.execute.TOKEN</c>.</summary>
    public const string Jobs = "agent.execute.";

    /// <summary>Results: <c>agent.status.completed</c>, <c>.failed</c>, <c>.interrupted</c>, <c>.cancelled</c>.</summary>
    public const string Results = "agent.status.";

    /// <summary>Messages that could not be worked on: <c>agent.dead-letter.TOKEN</c>, the token that of the job.</summary>
    public const string DeadLetters = "agent.dead-letter.";

    private static readonly System.Buffers.SearchValues<char> NoToken = System.Buffers.SearchValues.Create(" .*>\t\r\n");

    /// <exception cref="FaultException"><see cref="FaultCodes.UnknownSubject"/>.</exception>
    public static BusStream StreamOf(string subject)
    {
        var stream = subject.StartsWith(Jobs, StringComparison.Ordinal) ? BusStream.Jobs
            : subject.StartsWith(Results, StringComparison.Ordinal) ? BusStream.Results
            : subject.StartsWith(DeadLetters, StringComparison.Ordinal) ? BusStream.DeadLetters
            : (BusStream?)null;
        return stream is { } found && IsToken(subject.AsSpan(PrefixOf(found).Length)) ? found : throw new FaultException(
            FaultCodes.UnknownSubject, $"no stream takes the subject '{subject}'", $"publish to {Jobs}TOKEN");
    }

    public static string PrefixOf(BusStream stream) => stream switch
    {
        BusStream.Jobs => Jobs,
        BusStream.Results => Results,
        _ => DeadLetters,
    };

    /// <summary>The subject for a message of this one that is put aside. NATS takes tokens that we do not publish to, such as one with a wildcard's sign in it.</summary>
    public static string DeadLetterOf(string subject)
    {
        var token = subject.AsSpan(subject.LastIndexOf('.') + 1);
        return IsToken(token) ? $"{DeadLetters}{token}" : $"{DeadLetters}unnamed";
    }

    /// <summary>One part of a subject: visible, without wildcards.</summary>
    private static bool IsToken(ReadOnlySpan<char> token) => !token.IsEmpty && !token.ContainsAny(NoToken) && !token.ContainsAnyInRange('\0', ' ');
}
