namespace AgentExecutor.Adapters.Nats.Protocol;

/// <summary>Puts into a CONNECT what shows who we are: the first of a .creds file, an nkey, a token, a user, or what stood in the URL.</summary>
internal sealed class NatsCredentials(NatsSettings settings)
{
    public async Task AddToAsync(ConnectRequest request, ServerInfo info, NatsEndpoint endpoint, CancellationToken cancellationToken)
    {
        if (settings.Creds.Length > 0)
        {
            var (jwt, key) = await ReadCredsAsync(settings.Creds, cancellationToken);
            (request.Jwt, request.Signature) = (jwt, key.SignNonce(info.Nonce ?? ""));
        }
        else if (settings.NkeySeed.IsSet)
        {
            var key = Nkey.FromSeed(settings.NkeySeed.Value!);
            (request.Nkey, request.Signature) = (key.PublicKey, key.SignNonce(info.Nonce ?? ""));
        }
        else if (settings.Token.IsSet)
        {
            request.Token = settings.Token.Value;
        }
        else if (settings.User.Length > 0)
        {
            (request.User, request.Password) = (settings.User, settings.Password.Value);
        }
        else if (endpoint.UserInfo.IsSet)
        {
            AddUserInfo(request, endpoint.UserInfo.Value!.Split(':', 2));
        }
    }

    private static void AddUserInfo(ConnectRequest request, string[] parts)
    {
        if (parts is [var user, var password])
        {
            (request.User, request.Password) = (Uri.UnescapeDataString(user), Uri.UnescapeDataString(password));
        }
        else
        {
            request.Token = Uri.UnescapeDataString(parts[0]);
        }
    }

    private static async Task<(string Jwt, Nkey Key)> ReadCredsAsync(string path, CancellationToken cancellationToken)
    {
        string[] lines;
        try
        {
            lines = await File.ReadAllLinesAsync(path, cancellationToken);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new NatsException(NatsFault.InvalidSettings, $"NATS_CREDS cannot be read: {exception.Message}", exception);
        }
        return Section(lines, "BEGIN NATS USER JWT") is { } jwt && Section(lines, "BEGIN USER NKEY SEED") is { } seed
            ? (jwt, Nkey.FromSeed(seed))
            : throw new NatsException(NatsFault.InvalidSettings, $"{path} is no .creds file: it needs a NATS USER JWT and a USER NKEY SEED");
    }

    private static string? Section(string[] lines, string title) =>
        lines.SkipWhile(line => !line.Contains(title, StringComparison.Ordinal)).Skip(1).Select(line => line.Trim()).FirstOrDefault(line => line.Length > 0);
}
