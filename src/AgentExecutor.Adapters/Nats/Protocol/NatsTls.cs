using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace AgentExecutor.Adapters.Nats.Protocol;

/// <summary>TLS as NATS has it: the server's INFO comes in the clear, and the handshake after it.</summary>
internal static class NatsTls
{
    public static async Task<Stream> UpgradeAsync(NatsWire wire, NatsEndpoint endpoint, string caPath, CancellationToken cancellationToken)
    {
        if (wire.Reader.TryRead(out var rest) && !rest.Buffer.IsEmpty)
        {
            // Whatever came in the clear behind INFO is not of the server that the certificate will name.
            throw new NatsException(NatsFault.Protocol, "the NATS server spoke before TLS was agreed");
        }
        await wire.Reader.CompleteAsync();
        var secured = new SslStream(wire.Stream, leaveInnerStreamOpen: false);
        try
        {
            await secured.AuthenticateAsClientAsync(Options(endpoint, caPath), cancellationToken);
            return secured;
        }
        catch
        {
            await secured.DisposeAsync();
            throw;
        }
    }

    private static SslClientAuthenticationOptions Options(NatsEndpoint endpoint, string caPath)
    {
        var options = new SslClientAuthenticationOptions { TargetHost = endpoint.TlsName };
        if (caPath.Length > 0)
        {
            options.CertificateChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            options.CertificateChainPolicy.CustomTrustStore.AddRange(Authorities(caPath));
        }
        return options;
    }

    private static X509Certificate2Collection Authorities(string path)
    {
        try
        {
            var authorities = new X509Certificate2Collection();
            authorities.ImportFromPemFile(path);
            return authorities;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new NatsException(NatsFault.InvalidSettings, $"NATS_TLS_CA cannot be read: {exception.Message}", exception);
        }
    }
}
