using AgentExecutor.Core;

namespace AgentExecutor.Adapters.Sandbox;

/// <summary>
/// Rejects requests that cannot be passed on as they are. A null character ends an argument, so what follows it would be read as an option
/// of bubblewrap.
/// </summary>
internal static class SandboxRequestCheck
{
    /// <exception cref="FaultException">The request is invalid.</exception>
    public static void Check(SandboxRequest request)
    {
        foreach (var text in Texts(request))
        {
            if (text.Contains('\0', StringComparison.Ordinal))
            {
                throw Invalid("an argument, a path or a variable of the program contains a null character");
            }
        }
        foreach (var name in request.Variables.Keys)
        {
            if (name.Length == 0 || name.Contains('=', StringComparison.Ordinal))
            {
                throw Invalid($"'{name}' is not the name of a variable");
            }
        }
        foreach (var name in request.Files.Keys)
        {
            if (name.Length == 0 || name is "." or ".." || name.Contains('/', StringComparison.Ordinal))
            {
                throw Invalid($"'{name}' is not the name of a file");
            }
        }
        foreach (var path in request.ReadablePaths.Concat(request.WritablePaths))
        {
            if (!path.StartsWith('/'))
            {
                throw Invalid($"'{path}' is not an absolute path");
            }
        }
    }

    private static IEnumerable<string> Texts(SandboxRequest request) =>
        [
            request.Program,
            .. request.Arguments,
            .. request.Variables.Keys,
            .. request.Variables.Values,
            .. request.ReadablePaths,
            .. request.WritablePaths,
            .. request.Files.Keys,
        ];

    private static FaultException Invalid(string message) =>
        new(FaultCodes.InvalidInput, message, "correct the definition of the tool or its arguments");
}
