using System.Globalization;
using AgentExecutor.Core;

namespace AgentExecutor.Adapters.Redis;

/// <summary>The address of the server, and the credentials to use there. Its text form is the host and the port alone.</summary>
/// <param name="User">Empty for the server's default user.</param>
internal sealed record RedisEndpoint(string Host, int Port, bool IsTls, string User, Secret Password, int Database)
{
    public const int DefaultPort = 6379;

    public override string ToString() => Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]:{Port}" : $"{Host}:{Port}";

    /// <exception cref="RedisFaultException">
    /// <see cref="RedisFault.InvalidSettings"/>. The message does not repeat the URL, because the URL may contain a password.
    /// </exception>
    public static RedisEndpoint Of(RedisSettings settings)
    {
        var endpoint = settings.Url.IsSet
            ? Parse(settings)
            : new RedisEndpoint(settings.Host, settings.Port, settings.Tls, "", default, settings.Database);
        return endpoint with
        {
            User = settings.User.Length > 0 ? settings.User : endpoint.User,
            Password = settings.Password.IsSet ? settings.Password : endpoint.Password,
        };
    }

    private static RedisEndpoint Parse(RedisSettings settings)
    {
        var text = settings.Url.Value!.Trim();
        var url = text.Contains("://", StringComparison.Ordinal) ? text : $"redis://{text}";
        if (!Uri.TryCreate(url, UriKind.Absolute, out var uri) || uri.Scheme is not ("redis" or "rediss") || uri.Host.Length == 0)
        {
            throw Malformed("it is not a Redis URL");
        }
        if (uri.Query.Length > 0 || uri.Fragment.Length > 0)
        {
            throw Malformed("options after ? or # are not supported (if these characters belong to the password, percent-encode them)");
        }
        var (user, password) = Credentials(uri.UserInfo);
        var isTls = settings.Tls || uri.Scheme == "rediss";
        var database = DatabaseOf(uri, settings.Database);
        return new RedisEndpoint(uri.DnsSafeHost, uri.Port > 0 ? uri.Port : DefaultPort, isTls, user, new Secret(password), database);
    }

    private static (string User, string Password) Credentials(string userInfo)
    {
        var colon = userInfo.IndexOf(':', StringComparison.Ordinal);
        return colon < 0
            ? (Uri.UnescapeDataString(userInfo), "")
            : (Uri.UnescapeDataString(userInfo[..colon]), Uri.UnescapeDataString(userInfo[(colon + 1)..]));
    }

    private static int DatabaseOf(Uri uri, int otherwise) =>
        uri.AbsolutePath.Trim('/') switch
        {
            "" => otherwise,
            var path when int.TryParse(path, NumberStyles.None, CultureInfo.InvariantCulture, out var database) => database,
            _ => throw Malformed("the path after the host is not a database number"),
        };

    private static RedisFaultException Malformed(string why) =>
        new(
            RedisFault.InvalidSettings,
            $"REDIS_URL cannot be used: {why}. Write redis://[USER[:PASSWORD]@]HOST[:PORT][/DATABASE], or rediss:// for TLS"
        );
}
