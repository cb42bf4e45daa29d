using System.Buffers;
using System.IO.Pipelines;

namespace AgentExecutor.Adapters.Redis.Protocol;

/// <summary>A stream with what was read from it and not yet used. It is a connection in the making: one command, one answer.</summary>
internal sealed record RespWire(Stream Stream, PipeReader Reader, RespParser Parser)
{
    private const int ReadSize = 64 * 1024;

    public static RespWire Over(Stream stream) => new(stream, PipeReader.Create(stream, new StreamPipeReaderOptions(bufferSize: ReadSize, leaveOpen: true)), new RespParser());

    public async Task<RespValue> AskAsync(string[] command, CancellationToken cancellationToken)
    {
        var output = new ArrayBufferWriter<byte>();
        RespWriter.Write(output, command);
        await Stream.WriteAsync(output.WrittenMemory, cancellationToken);
        while (true)
        {
            var read = await Reader.ReadAsync(cancellationToken);
            var buffer = read.Buffer;
            if (Parser.TryRead(ref buffer, isKept: true, out var value))
            {
                Reader.AdvanceTo(buffer.Start); // not examined further: what follows may be whole already
                if (value!.Kind != RespKind.Push)
                {
                    return value;
                }
                continue;
            }
            Reader.AdvanceTo(buffer.Start, buffer.End);
            if (read.IsCompleted)
            {
                throw new IOException("the server closed the connection before it was made");
            }
        }
    }
}
