using System.Text.Json;
using ModelContextProtocol;
using ModelContextProtocol.Client;
using ModelContextProtocol.Protocol;

namespace AgentExecutor.Adapters.Mcp;

/// <summary>
/// Asks a server to announce changes of its tools. Since the revision 2026-07-28 of the protocol, servers do this only in response to a
/// request, which stays open. If it ends, changes are noticed when the list is read again.
/// </summary>
internal sealed class McpListening : IAsyncDisposable
{
    private const string FirstRevision = "2026-07-28";

    private readonly CancellationTokenSource _cancel = new();
    private readonly Task _listening;

    private McpListening(McpClient client) => _listening = ListenAsync(client);

    /// <summary>Returns null if the server announces changes without being asked, or not at all.</summary>
    public static McpListening? Start(McpClient client) =>
        client.ServerCapabilities.Tools?.ListChanged is true && string.CompareOrdinal(client.NegotiatedProtocolVersion, FirstRevision) >= 0
            ? new McpListening(client)
            : null;

    public async ValueTask DisposeAsync()
    {
        await _cancel.CancelAsync();
        await _listening;
        _cancel.Dispose();
    }

    private async Task ListenAsync(McpClient client)
    {
        var wanted = new SubscriptionsListenRequestParams
        {
            Notifications = new SubscriptionsListenNotifications { ToolsListChanged = true },
        };
        try
        {
            await client.SendRequestAsync(
                new JsonRpcRequest
                {
                    Method = RequestMethods.SubscriptionsListen,
                    Params = JsonSerializer.SerializeToNode(wanted, McpJsonUtilities.DefaultOptions),
                },
                _cancel.Token
            );
        }
        catch (Exception exception) when (exception is McpException or HttpRequestException or IOException or OperationCanceledException)
        {
            // The server does not support it, or the connection was closed.
        }
    }
}
