using AgentExecutor.Adapters.Connections;

namespace AgentExecutor.Adapters.Mcp;

/// <summary>
/// Limits the length of the messages in a stream, each of which ends with a line feed, so that a server cannot fill the memory with one.
/// </summary>
internal sealed class BoundedMessagesStream(Stream inner, int maxBytes) : ForwardStream(inner)
{
    private long _length;

    public override int Read(Span<byte> buffer)
    {
        var read = Inner.Read(buffer);
        Count(buffer[..read]);
        return read;
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var read = await Inner.ReadAsync(buffer, cancellationToken);
        Count(buffer.Span[..read]);
        return read;
    }

    private void Count(ReadOnlySpan<byte> bytes)
    {
        var end = bytes.LastIndexOf((byte)'\n');
        _length = end < 0 ? _length + bytes.Length : bytes.Length - end - 1;
        if (_length > maxBytes)
        {
            throw new IOException($"a message of the server is longer than {maxBytes} bytes");
        }
    }
}

/// <summary>Limits the length of the messages in the responses of servers.</summary>
internal sealed class BoundedMessagesHandler(HttpMessageHandler inner, int maxBytes) : DelegatingHandler(inner)
{
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var response = await base.SendAsync(request, cancellationToken);
        var content = response.Content;
        var bounded = new StreamContent(new BoundedMessagesStream(await content.ReadAsStreamAsync(cancellationToken), maxBytes));
        foreach (var (name, values) in content.Headers.NonValidated)
        {
            bounded.Headers.TryAddWithoutValidation(name, values);
        }
        response.Content = bounded;
        return response;
    }
}
