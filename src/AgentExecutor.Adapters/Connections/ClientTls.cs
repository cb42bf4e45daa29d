using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace AgentExecutor.Adapters.Connections;

/// <summary>The client side of TLS connections.</summary>
internal static class ClientTls
{
    /// <summary>Establishes TLS over a stream. The returned stream owns it; if the handshake fails, the stream is closed.</summary>
    /// <param name="stream">The connected stream.</param>
    /// <param name="name">The name that the server's certificate must have.</param>
    /// <param name="caPath">The file with the trusted certificate authorities; or "" to trust those of the system.</param>
    /// <param name="unreadable">Creates the exception if that file cannot be read.</param>
    /// <param name="cancellationToken">Cancels the handshake.</param>
    public static async Task<Stream> UpgradeAsync(
        Stream stream,
        string name,
        string caPath,
        Func<Exception, Exception> unreadable,
        CancellationToken cancellationToken
    )
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

    /// <summary>
    /// Makes the client check the server's certificate against the authorities of this file, or against those of the system if the path is
    /// empty.
    /// </summary>
    public static void Trust(SslClientAuthenticationOptions options, string caPath, Func<Exception, Exception> unreadable)
    {
        if (caPath.Length > 0)
        {
            options.CertificateChainPolicy = new X509ChainPolicy
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                RevocationMode = X509RevocationMode.NoCheck,
            };
            options.CertificateChainPolicy.CustomTrustStore.AddRange(Authorities(caPath, unreadable));
        }
    }

    private static SslClientAuthenticationOptions Options(string name, string caPath, Func<Exception, Exception> unreadable)
    {
        var options = new SslClientAuthenticationOptions { TargetHost = name };
        Trust(options, caPath, unreadable);
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
