namespace AgentExecutor.Adapters.Nats.Protocol;

/// <summary>What may stand on a control line. A space or line end in a name would make two commands of one.</summary>
internal static class NatsSubjects
{
    public static void CheckPublish(string subject)
    {
        CheckSubscribe(subject);
        if (subject.AsSpan().ContainsAny('*', '>'))
        {
            throw new NatsException(NatsFault.InvalidArgument, $"'{subject}' has a wildcard: one can subscribe to it, not publish to it");
        }
    }

    public static void CheckSubscribe(string subject)
    {
        if (subject.Length == 0 || subject.AsSpan().ContainsAnyInRange('\0', ' ') || subject[0] == '.' || subject[^1] == '.' || subject.Contains("..", StringComparison.Ordinal))
        {
            throw new NatsException(NatsFault.InvalidArgument, $"'{subject.ReplaceLineEndings(" ")}' is no subject");
        }
    }

    /// <summary>Stream and consumer names stand as one token in the subjects of the API.</summary>
    public static string CheckName(string name)
    {
        if (name.Length == 0 || name.AsSpan().ContainsAny(".*>/\\") || name.AsSpan().ContainsAnyInRange('\0', ' '))
        {
            throw new NatsException(NatsFault.InvalidArgument, $"'{name.ReplaceLineEndings(" ")}' is no name of a stream or consumer");
        }
        return name;
    }

    /// <summary>Not to be guessed or met by another client.</summary>
    public static string NewInbox() => $"_INBOX.{Convert.ToHexStringLower(System.Security.Cryptography.RandomNumberGenerator.GetBytes(12))}";
}
