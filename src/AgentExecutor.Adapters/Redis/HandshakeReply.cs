using System.Text;

namespace AgentExecutor.Adapters.Redis;

/// <summary>
/// Replaces an error in the handshake. The library completes the handshake with a PING, and closes the connection if the server replies
/// with an error. A user without permission for PING can still publish and subscribe, so this error is replaced by the reply that the
/// library expects.
/// </summary>
internal static class HandshakeReply
{
    private static ReadOnlySpan<byte> Pong => "+PONG\r\n"u8;

    /// <summary>Returns true if the received data contains the reply to PING.</summary>
    public static bool HasPong(ReadOnlySpan<byte> received) => received.IndexOf(Pong) >= 0;

    /// <summary>Replaces the error in the received data.</summary>
    /// <returns>The new length of the data.</returns>
    public static int AllowWithoutPing(Span<byte> received)
    {
        var start = received.LastIndexOf("-NOPERM "u8);
        var length = start < 0 ? -1 : received[start..].IndexOf("\r\n"u8);
        if (length < 0 || !Encoding.UTF8.GetString(received.Slice(start, length)).Contains("'ping'", StringComparison.OrdinalIgnoreCase))
        {
            return received.Length;
        }
        var rest = received[(start + length + 2)..];
        Pong.CopyTo(received[start..]);
        rest.CopyTo(received[(start + Pong.Length)..]);
        return start + Pong.Length + rest.Length;
    }
}
