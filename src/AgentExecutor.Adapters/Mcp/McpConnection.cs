using System.Text.Json;
using System.Text.Json.Nodes;
using AgentExecutor.Core;
using Microsoft.Extensions.Logging;
using ModelContextProtocol;
using ModelContextProtocol.Client;
using ModelContextProtocol.Protocol;

namespace AgentExecutor.Adapters.Mcp;

/// <summary>
/// The connection to one server. It is opened at its first use, and again when it was lost. After a failure, further attempts fail at once
/// for a few seconds, so that calls do not wait for a server that is down one after another.
/// </summary>
internal sealed class McpConnection(
    McpEndpoint endpoint,
    McpTransports transports,
    McpSettings settings,
    TimeProvider time,
    ILoggerFactory loggers
) : IAsyncDisposable
{
    /// <summary>The field of <c>_meta</c> with the key of a call, which is the same for every attempt.</summary>
    public const string KeyField = "idempotencyKey";

    /// <summary>
    /// The revisions of the protocol to try. With null, the newest one that the server names is used. Some servers give an answer that
    /// cannot be read when they are asked for it, so the others are then tried one after another.
    /// </summary>
    private static readonly string?[] Revisions = [null, "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(3);

    /// <summary>The age at which a list is read again from servers that do not announce changes.</summary>
    private static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(10);

    private readonly SemaphoreSlim _opening = new(1, 1);
    private readonly McpQuestions _questions = new();
    private Link? _link;
    private McpUnavailableException? _failure;
    private long _failedAt;
    private long _changes;

    /// <summary>Returns the tools of the server, at most as many as the settings allow.</summary>
    /// <param name="refresh">True to ask the server even if a recent list is known.</param>
    /// <param name="cancellationToken">Cancels the request.</param>
    /// <exception cref="McpUnavailableException">The server cannot be reached.</exception>
    public async Task<IReadOnlyList<Tool>> ListAsync(bool refresh, CancellationToken cancellationToken)
    {
        var link = await OpenAsync(cancellationToken);
        var changes = Interlocked.Read(ref _changes);
        if (!refresh && link.Tools is { } known && known.Changes == changes && time.GetElapsedTime(known.ReadAt) < MaxAge)
        {
            return known.List;
        }
        try
        {
            using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(settings.ConnectTimeoutSeconds), time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
            var tools = await link.Client.ListToolsAsync(cancellationToken: either.Token);
            IReadOnlyList<Tool> list = [.. tools.Take(settings.MaxTools).Select(tool => tool.ProtocolTool)];
            link.Tools = new Listed(list, changes, time.GetTimestamp());
            return list;
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            // A server that cannot list its tools cannot be used, whatever the reason is.
            await CloseAsync(link);
            throw Failed(exception, link.Process);
        }
    }

    /// <summary>Calls a tool.</summary>
    /// <exception cref="McpUnavailableException">The server cannot be reached. Nothing was sent.</exception>
    /// <exception cref="McpException">The server reported an error of the protocol.</exception>
    public async Task<CallToolResult> CallAsync(
        string tool,
        IReadOnlyDictionary<string, object?> arguments,
        string key,
        McpCall call,
        CancellationToken cancellationToken
    )
    {
        var link = await OpenAsync(cancellationToken);
        using var place = await _questions.BeginAsync(call, cancellationToken);
        _questions.Enter(call);
        try
        {
            return await link.Client.CallToolAsync(
                tool,
                arguments,
                call,
                new RequestOptions { Meta = new JsonObject { [KeyField] = key } },
                cancellationToken
            );
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException or ObjectDisposedException)
        {
            await CloseAsync(link);
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_link is { } link)
        {
            await CloseAsync(link);
        }
        _opening.Dispose();
        _questions.Dispose();
    }

    private async Task<Link> OpenAsync(CancellationToken cancellationToken)
    {
        if (Volatile.Read(ref _link) is { IsOpen: true } open)
        {
            return open;
        }
        await _opening.WaitAsync(cancellationToken);
        try
        {
            if (_link is { IsOpen: true } opened)
            {
                return opened;
            }
            if (_failure is { } failure && time.GetElapsedTime(_failedAt) < Pause)
            {
                throw failure;
            }
            if (_link is { } lost)
            {
                await CloseAsync(lost);
            }
            _link = await ConnectAsync(cancellationToken);
            _failure = null;
            return _link;
        }
        finally
        {
            _opening.Release();
        }
    }

    private async Task<Link> ConnectAsync(CancellationToken cancellationToken)
    {
        McpProcess? process = null;
        try
        {
            using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(settings.ConnectTimeoutSeconds), time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
            foreach (var revision in Revisions)
            {
                (var transport, process) = await transports.OpenAsync(endpoint, either.Token);
                try
                {
                    var client = await McpClient.CreateAsync(transport, Options(revision), loggers, either.Token);
                    return new Link(client, process, McpListening.Start(client));
                }
                catch (Exception exception) when (exception is McpException or JsonException && revision != Revisions[^1])
                {
                    if (process is not null)
                    {
                        await process.DisposeAsync();
                    }
                }
            }
            throw new McpException("no revision of the protocol is supported");
        }
        catch (Exception exception)
        {
            var failed = cancellationToken.IsCancellationRequested ? null : Failed(exception, process);
            if (process is not null)
            {
                await process.DisposeAsync();
            }
            if (failed is null)
            {
                throw;
            }
            (_failure, _failedAt) = (failed, time.GetTimestamp());
            throw failed;
        }
    }

    private McpClientOptions Options(string? revision) =>
        new()
        {
            ProtocolVersion = revision,
            ClientInfo = new Implementation { Name = "agent-executor", Version = "1.0" },
            InitializationTimeout = TimeSpan.FromSeconds(settings.ConnectTimeoutSeconds),
            Handlers = new McpClientHandlers
            {
                ElicitationHandler = _questions.AnswerAsync,
                NotificationHandlers =
                [
                    KeyValuePair.Create<string, Func<JsonRpcNotification, CancellationToken, ValueTask>>(
                        NotificationMethods.ToolListChangedNotification,
                        (_, _) =>
                        {
                            Interlocked.Increment(ref _changes);
                            return ValueTask.CompletedTask;
                        }
                    ),
                ],
            },
        };

    private McpUnavailableException Failed(Exception exception, McpProcess? process)
    {
        var reason = exception switch
        {
            OperationCanceledException or TimeoutException => $"there was no answer within {settings.ConnectTimeoutSeconds:0.###} s",
            FaultException { Hint: { } hint } fault => $"{fault.Message} ({hint})",
            _ => exception.GetBaseException().Message,
        };
        var more = process?.Describe() is { } described ? $"; {described}" : "";
        return new McpUnavailableException($"the MCP server '{endpoint.Name}' cannot be reached: {reason}{more}", exception);
    }

    private async Task CloseAsync(Link link)
    {
        Interlocked.CompareExchange(ref _link, null, link);
        await link.DisposeAsync();
    }

    private sealed record Listed(IReadOnlyList<Tool> List, long Changes, long ReadAt);

    private sealed class Link(McpClient client, McpProcess? process, McpListening? listening) : IAsyncDisposable
    {
        private int _isDisposed;

        public McpClient Client => client;

        public McpProcess? Process => process;

        public Listed? Tools { get; set; }

        public bool IsOpen => _isDisposed == 0 && !client.Completion.IsCompleted;

        public async ValueTask DisposeAsync()
        {
            if (Interlocked.Exchange(ref _isDisposed, 1) == 1)
            {
                return;
            }
            if (listening is not null)
            {
                await listening.DisposeAsync();
            }
            await client.DisposeAsync();
            if (process is not null)
            {
                await process.DisposeAsync();
            }
        }
    }
}
