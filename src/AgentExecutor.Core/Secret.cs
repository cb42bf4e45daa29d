namespace AgentExecutor.Core;

/// <summary>A key, a password, or a URL that holds one. It never prints itself: read <see cref="Value"/> where it is used, and nowhere else.</summary>
public readonly record struct Secret(string? Value)
{
    public bool IsSet => !string.IsNullOrEmpty(Value);

    public override string ToString() => IsSet ? "***" : "";
}
