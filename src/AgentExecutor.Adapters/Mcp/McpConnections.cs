using Microsoft.Extensions.Logging;

namespace AgentExecutor.Adapters.Mcp;

/// <summary>
/// The connections of the process. Tools share the connection to a server over HTTP. A server that is started belongs to one definition.
/// Connections that are not used are closed after a while, or when others need their place.
/// </summary>
internal sealed class McpConnections : IAsyncDisposable
{
    private readonly Dictionary<object, Entry> _entries = [];
    private readonly Lock _gate = new();
    private readonly McpTransports _transports;
    private readonly McpSettings _settings;
    private readonly TimeProvider _time;
    private readonly ILoggerFactory _loggers;
    private readonly ITimer _timer;
    private Task _closing = Task.CompletedTask;

    public McpConnections(McpTransports transports, McpSettings settings, TimeProvider time, ILoggerFactory loggers)
    {
        (_transports, _settings, _time, _loggers) = (transports, settings, time, loggers);
        var period = TimeSpan.FromSeconds(Math.Max(1, settings.IdleSeconds / 2));
        _timer = time.CreateTimer(static state => ((McpConnections)state!).CloseIdle(), this, period, period);
    }

    /// <summary>Returns the connection, which is not closed before the returned object is disposed.</summary>
    /// <param name="endpoint">The server.</param>
    /// <param name="owner">The object to which a started server belongs.</param>
    /// <exception cref="McpUnavailableException">All connections are in use.</exception>
    public Lease Rent(McpEndpoint endpoint, object owner)
    {
        lock (_gate)
        {
            var key = endpoint.Url is null ? owner : endpoint.Key;
            if (!_entries.TryGetValue(key, out var entry))
            {
                if (_entries.Count >= _settings.MaxConnections)
                {
                    var oldest = _entries
                        .Where(it => it.Value.Users == 0)
                        .OrderBy(it => it.Value.UsedAt)
                        .Select(it => it.Key)
                        .FirstOrDefault();
                    Close(
                        oldest
                            ?? throw new McpUnavailableException(
                                $"the MCP server '{endpoint.Name}' cannot be reached: all {_settings.MaxConnections} connections are in use"
                            )
                    );
                }
                entry = new Entry(new McpConnection(endpoint, _transports, _settings, _time, _loggers));
                _entries.Add(key, entry);
            }
            entry.Users++;
            return new Lease(this, entry);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _timer.DisposeAsync();
        Task closing;
        lock (_gate)
        {
            foreach (var key in _entries.Keys.ToList())
            {
                Close(key);
            }
            closing = _closing;
        }
        await closing;
        _transports.Dispose();
    }

    private void CloseIdle()
    {
        lock (_gate)
        {
            var limit = TimeSpan.FromSeconds(_settings.IdleSeconds);
            foreach (var (key, _) in _entries.Where(it => it.Value.Users == 0 && _time.GetElapsedTime(it.Value.UsedAt) >= limit).ToList())
            {
                Close(key);
            }
        }
    }

    private void Close(object key)
    {
        _entries.Remove(key, out var entry);
        _closing = Task.WhenAll(_closing, CloseAsync(entry!.Connection));
    }

    private static async Task CloseAsync(McpConnection connection)
    {
        await Task.Yield(); // not under the lock
        try
        {
            await connection.DisposeAsync();
        }
        catch (Exception exception) when (exception is IOException or HttpRequestException or OperationCanceledException)
        {
            // The server has gone away, so there is nothing left to close.
        }
    }

    private void Return(Entry entry)
    {
        lock (_gate)
        {
            entry.Users--;
            entry.UsedAt = _time.GetTimestamp();
        }
    }

    /// <summary>A connection in use.</summary>
    public sealed class Lease(McpConnections owner, Entry entry) : IDisposable
    {
        public McpConnection Connection => entry.Connection;

        public void Dispose() => owner.Return(entry);
    }

    public sealed class Entry(McpConnection connection)
    {
        public McpConnection Connection => connection;

        public int Users { get; set; }

        public long UsedAt { get; set; }
    }
}
