using AgentExecutor.Core;

namespace AgentExecutor.Adapters.Connections;

/// <summary>Validation that the settings of several servers share. Messages never repeat a value that may contain a secret.</summary>
internal static class SettingTexts
{
    /// <summary>
    /// Returns the error for a URL without a scheme: how it was read, and how to write it. Null if it has a scheme, or is not an address.
    /// </summary>
    /// <param name="text">The value, with or without user and password.</param>
    /// <param name="scheme">The expected scheme.</param>
    /// <param name="defaultPort">The port if none is given; 0 for the default port of the scheme.</param>
    public static string? WithoutScheme(string text, string scheme, int defaultPort)
    {
        if (
            text.Contains("://", StringComparison.Ordinal)
            || text.Contains('=', StringComparison.Ordinal)
            || text.Any(char.IsWhiteSpace)
            || !Uri.TryCreate($"{scheme}://{text}", UriKind.Absolute, out var uri)
            || uri.Host.Length == 0
        )
        {
            return null;
        }
        var user =
            uri.UserInfo.Length == 0 ? ""
            : uri.UserInfo.Contains(':', StringComparison.Ordinal) ? "USER:PASSWORD@"
            : "TOKEN@";
        var port = uri.Port > 0 ? uri.Port : defaultPort;
        var path = uri.AbsolutePath.TrimEnd('/');
        return $"The URL has no scheme. It was read as host '{uri.Host}' and port {port}. Use {scheme}://{user}{uri.Host}:{port}{path}";
    }

    public static IEnumerable<SettingFault> CheckPort(int port, string setting = "PORT")
    {
        if (port is < 1 or > 65535)
        {
            yield return new SettingFault(setting, $"{port} is not a port number. Use a number from 1 to 65535.");
        }
    }

    public static IEnumerable<SettingFault> CheckHost(string hosts, string urlVariable)
    {
        if (hosts.Contains("://", StringComparison.Ordinal) || hosts.Any(it => it is '@' or '/' || char.IsWhiteSpace(it)))
        {
            yield return new SettingFault(
                "HOST",
                $"The value is not a host name. Use only the name, or set {urlVariable} to the whole URL."
            );
        }
    }

    /// <summary>Checks that the file can be read.</summary>
    public static IEnumerable<SettingFault> CheckFile(string path, string setting)
    {
        if (path.Length > 0 && Unreadable(path) is { } why)
        {
            yield return new SettingFault(setting, $"The file '{path}' cannot be read: {why}.");
        }
    }

    private static string? Unreadable(string path)
    {
        try
        {
            using var file = File.OpenRead(path);
            return null;
        }
        catch (Exception exception)
            when (exception is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            return exception is FileNotFoundException or DirectoryNotFoundException
                ? "the file does not exist"
                : "this process has no permission to read it";
        }
    }
}
