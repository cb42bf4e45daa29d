using System.Buffers.Text;
using System.Text;
using System.Text.Json.Nodes;
using NATS.NKeys;

namespace AgentExecutor.IntegrationTests.Nats;

/// <summary>An operator, an account and a user, each signed by the one before, as <c>nsc</c> creates them.</summary>
internal sealed class NatsJwts : IDisposable
{
    private readonly KeyPair _operator = KeyPair.CreatePair(PrefixByte.Operator);
    private readonly KeyPair _account = KeyPair.CreatePair(PrefixByte.Account);

    /// <summary>The configuration of a server that trusts them.</summary>
    public string ServerConfig()
    {
        var root = Sign(_operator, _operator, new JsonObject { ["type"] = "operator", ["version"] = 2 });
        var limits = new JsonObject();
        foreach (var limit in new[] { "subs", "data", "payload", "imports", "exports", "conn", "leaf" })
        {
            limits[limit] = -1;
        }
        limits["wildcards"] = true;
        var account = Sign(
            _operator,
            _account,
            new JsonObject
            {
                ["limits"] = limits,
                ["type"] = "account",
                ["version"] = 2,
            }
        );
        return $"operator: {root}\nresolver: MEMORY\nresolver_preload: {{ {_account.GetPublicKey()}: {account} }}\n";
    }

    /// <summary>The text of a .creds file.</summary>
    public string UserCreds()
    {
        using var user = KeyPair.CreatePair(PrefixByte.User);
        var jwt = Sign(
            _account,
            user,
            new JsonObject
            {
                ["subs"] = -1,
                ["data"] = -1,
                ["payload"] = -1,
                ["type"] = "user",
                ["version"] = 2,
            }
        );
        return $"""
            -----BEGIN NATS USER JWT-----
            {jwt}
            ------END NATS USER JWT------

            ************************* IMPORTANT *************************
            NKEY Seed printed below can be used to sign and prove identity.

            -----BEGIN USER NKEY SEED-----
            {user.GetSeed()}
            ------END USER NKEY SEED------
            """;
    }

    public void Dispose()
    {
        _operator.Dispose();
        _account.Dispose();
    }

    private static string Sign(KeyPair issuer, KeyPair subject, JsonObject claims)
    {
        var body = new JsonObject
        {
            ["jti"] = "test",
            ["iat"] = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds(),
            ["iss"] = issuer.GetPublicKey(),
            ["name"] = "test",
            ["sub"] = subject.GetPublicKey(),
            ["nats"] = claims,
        };
        var text = $"{Encode("""{"typ":"JWT","alg":"ed25519-nkey"}""")}.{Encode(body.ToJsonString())}";
        var signature = new byte[64];
        issuer.Sign(Encoding.UTF8.GetBytes(text), signature);
        return $"{text}.{Base64Url.EncodeToString(signature)}";
    }

    private static string Encode(string text) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(text));
}
