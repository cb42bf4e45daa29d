using System.Buffers.Text;
using System.Text;
using System.Text.Json.Nodes;
using AgentExecutor.Adapters.Nats.Protocol;

namespace AgentExecutor.IntegrationTests.Nats;

/// <summary>An operator, an account and a user, each signed by the one before, as <c>nsc</c> would make them.</summary>
internal sealed class NatsJwts
{
    private const byte Operator = 14 << 3;
    private const byte Account = 0;

    private readonly Nkey _operator = NewKey(Operator);
    private readonly Nkey _account = NewKey(Account);

    public static Nkey NewKey(byte kind)
    {
        var seed = new byte[32];
        Random.Shared.NextBytes(seed);
        return new Nkey(seed, kind);
    }

    /// <summary>What a server needs to know of them.</summary>
    public string ServerConfig()
    {
        var root = Sign(_operator, _operator, new JsonObject { ["type"] = "operator", ["version"] = 2 });
        var limits = new JsonObject();
        foreach (var limit in new[] { "subs", "data", "payload", "imports", "exports", "conn", "leaf" })
        {
            limits[limit] = -1;
        }
        limits["wildcards"] = true;
        var account = Sign(_operator, _account, new JsonObject { ["limits"] = limits, ["type"] = "account", ["version"] = 2 });
        return $"operator: {root}\nresolver: MEMORY\nresolver_preload: {{ {_account.PublicKey}: {account} }}\n";
    }

    /// <summary>The text of a .creds file.</summary>
    public string UserCreds()
    {
        var user = NewKey(Nkey.User);
        var jwt = Sign(_account, user, new JsonObject { ["subs"] = -1, ["data"] = -1, ["payload"] = -1, ["type"] = "user", ["version"] = 2 });
        return $"""
            -----BEGIN NATS USER JWT-----
            {jwt}
            ------END NATS USER JWT------

            ************************* IMPORTANT *************************
            NKEY Seed printed below can be used to sign and prove identity.

            -----BEGIN USER NKEY SEED-----
            {user.ToSeed()}
            ------END USER NKEY SEED------
            """;
    }

    private static string Sign(Nkey issuer, Nkey subject, JsonObject claims)
    {
        var body = new JsonObject
        {
            ["jti"] = "test",
            ["iat"] = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds(),
            ["iss"] = issuer.PublicKey,
            ["name"] = "test",
            ["sub"] = subject.PublicKey,
            ["nats"] = claims,
        };
        var text = $"{Encode("""{"typ":"JWT","alg":"ed25519-nkey"}""")}.{Encode(body.ToJsonString())}";
        return $"{text}.{Base64Url.EncodeToString(issuer.Sign(Encoding.UTF8.GetBytes(text)))}";
    }

    private static string Encode(string text) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(text));
}
