using Microsoft.AspNetCore.Http;

namespace AgentExecutor.Server.Settings;

/// <summary>
/// An item of <c>ALLOWED_HOSTS</c>: a host name, <c>*.</c> and a domain for every name below it, or <c>*</c> for all names.
/// </summary>
/// <param name="Name">The name, without a dot at the end.</param>
/// <param name="Port">The only port that matches, or null if every port matches.</param>
internal sealed record HostPattern(string Name, int? Port)
{
    private const string Any = "*";

    /// <summary>Returns null if the text is not a pattern.</summary>
    public static HostPattern? Parse(string text)
    {
        var host = new HostString(text);
        var name = host.Host.TrimEnd('.');
        var isName =
            name.Length > 0
            && name.TrimStart('*').All(static it => char.IsAsciiLetterOrDigit(it) || it is '-' or '_' or '.' or ':' or '[' or ']')
            && (!name.Contains('*', StringComparison.Ordinal) || name == Any || name.StartsWith("*.", StringComparison.Ordinal));
        return isName && (host.Port is not null || !text.Contains(':', StringComparison.Ordinal) || text.EndsWith(']'))
            ? new HostPattern(name, host.Port)
            : null;
    }

    public bool Matches(string name, int? port) =>
        (Port is null || Port == port)
        && (
            Name == Any
            || Name.Equals(name, StringComparison.OrdinalIgnoreCase)
            || (
                Name.StartsWith("*.", StringComparison.Ordinal)
                && name.Length > Name.Length - 1
                && name.EndsWith(Name[1..], StringComparison.OrdinalIgnoreCase)
            )
        );
}
