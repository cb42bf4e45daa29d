namespace AgentExecutor.Adapters.Nats;

/// <summary>An error that the server reported independently of a call.</summary>
/// <param name="Text">The text of the server.</param>
/// <param name="At">The timestamp at which it was reported.</param>
internal sealed record ServerError(string Text, long At)
{
    private const string Denial = "Permissions Violation";

    /// <summary>The subject to which the user must not publish or subscribe, or null for other errors.</summary>
    public string? DeniedSubject =>
        Text.StartsWith(Denial, StringComparison.OrdinalIgnoreCase) && Text.Split('"') is [_, var subject, ..] ? subject : null;
}
