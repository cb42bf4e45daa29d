using AgentExecutor.Adapters.Connections;

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
        return await ClientTls.UpgradeAsync(
            wire.Stream, endpoint.TlsName, caPath,
            exception => new NatsException(NatsFault.InvalidSettings, $"NATS_TLS_CA cannot be read: {exception.Message}", exception), cancellationToken);
    }
}
