namespace AgentExecutor.Core;

/// <summary>
/// A key, a password, or a URL that contains one. <see cref="ToString"/> never returns the secret, so that it does not appear in logs. Read
/// <see cref="Value"/> only where the secret is used.
/// </summary>
public readonly record struct Secret(string? Value)
{
    public bool IsSet => !string.IsNullOrEmpty(Value);

    public override string ToString() => IsSet ? "***" : "";
}
