using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Adapters.Scripts;

/// <summary>
/// The protocol of the Python runner: each frame is the length of a JSON text in bytes, a line break, and the text.
/// </summary>
internal static class Frames
{
    private const int LongestLength = 10;

    public static async Task WriteAsync(Stream stream, byte[] json, CancellationToken cancellationToken)
    {
        await stream.WriteAsync(
            Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{json.Length}\n")),
            cancellationToken
        );
        await stream.WriteAsync(json, cancellationToken);
        await stream.FlushAsync(cancellationToken);
    }

    /// <summary>Reads a frame.</summary>
    /// <param name="stream">The output of the runner.</param>
    /// <param name="maxBytes">The maximum length of the text.</param>
    /// <param name="cancellationToken">Cancels the call. The stream cannot be used afterwards.</param>
    /// <exception cref="RunnerException">The runner has ended, or what it wrote is not a frame.</exception>
    public static async Task<JsonElement> ReadAsync(Stream stream, int maxBytes, CancellationToken cancellationToken)
    {
        var length = await ReadLengthAsync(stream, cancellationToken);
        if (length is < 0 || length > maxBytes)
        {
            throw new RunnerException($"its answer has {length} bytes, and the limit is {maxBytes}");
        }
        var buffer = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            var text = buffer.AsMemory(0, length);
            await stream.ReadExactlyAsync(text, cancellationToken);
            return InputJson.Parse(text.Span);
        }
        catch (EndOfStreamException)
        {
            throw new RunnerException("it ended while it wrote its answer");
        }
        catch (JsonException exception)
        {
            throw new RunnerException($"its answer is not JSON: {exception.Message}");
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static async Task<int> ReadLengthAsync(Stream stream, CancellationToken cancellationToken)
    {
        var digit = new byte[1];
        var length = 0L;
        for (var count = 0; count <= LongestLength; count++)
        {
            if (await stream.ReadAsync(digit, cancellationToken) == 0)
            {
                throw new RunnerException("it ended without an answer");
            }
            if (digit[0] == '\n' && count > 0)
            {
                return (int)Math.Min(length, int.MaxValue);
            }
            if (digit[0] is < (byte)'0' or > (byte)'9')
            {
                break;
            }
            length = (length * 10) + digit[0] - '0';
        }
        throw new RunnerException("its answer does not start with a length");
    }
}

/// <summary>The process of a script cannot be used any more. The message is the end of a sentence about it.</summary>
internal sealed class RunnerException(string message) : Exception(message);
