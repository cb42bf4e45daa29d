using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace AgentExecutor.Adapters.Connections;

/// <summary>The client's side of TLS.</summary>
internal static class ClientTls
{
    /// <summary>Agrees on TLS over a stream, which is the result's from then on, or else is closed.</summary>
    /// <param name="name">The name that the server's certificate must have.</param>
    /// <param name="caPath">The file with the authorities that it is checked against; the system's where empty.</param>
    /// <param name="unreadable">The exception where that file cannot be read.</param>
    public static async Task<Stream> UpgradeAsync(Stream stream, string name, string caPath, Func<Exception, Exception> unreadable, CancellationToken cancellationToken)
    {
        var secured = new SslStream(stream, leaveInnerStreamOpen: false);
        try
        {
            await secured.AuthenticateAsClientAsync(Options(name, caPath, unreadable), cancellationToken);
            return secured;
        }
        catch
        {
            await secured.DisposeAsync();
            throw;
        }
    }

    private static SslClientAuthenticationOptions Options(string name, string caPath, Func<Exception, Exception> unreadable)
    {
        var options = new SslClientAuthenticationOptions { TargetHost = name };
        if (caPath.Length > 0)
        {
            options.CertificateChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            options.CertificateChainPolicy.CustomTrustStore.AddRange(Authorities(caPath, unreadable));
        }
        return options;
    }

    private static X509Certificate2Collection Authorities(string path, Func<Exception, Exception> unreadable)
    {
        try
        {
            var authorities = new X509Certificate2Collection();
            authorities.ImportFromPemFile(path);
            return authorities;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw unreadable(exception);
        }
    }
}
