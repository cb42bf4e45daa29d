using System.Text;
using AgentExecutor.Core;
using AgentExecutor.Core.Recording;

namespace AgentExecutor.Tests.Recording;

public sealed class RecordingReaderTests
{
    private const string Header = "{\"format\":\"agent-executor-recording\",\"version\":1}\n";

    [Fact]
    public async Task An_incomplete_last_line_is_omitted_and_reported()
    {
        var whole = Header + Line("a") + Line("b");
        foreach (var length in new[] { 1, 20, Line("c").Length - 2 })
        {
            var read = await ReadAsync(whole + Line("c")[..length]);

            Assert.Equal((2, true, Encoding.UTF8.GetByteCount(whole)), (read.All.Count, read.IsCutOff, read.WholeBytes));
        }
    }

    [Fact]
    public async Task A_last_line_without_a_line_break_is_read()
    {
        var read = await ReadAsync((Header + Line("a") + "\n" + Line("b")).TrimEnd('\n'));

        Assert.Equal((2, false), (read.All.Count, read.IsCutOff));
        Assert.Equal([2, 4], read.All.Select(it => it.Line));
    }

    [Theory]
    [InlineData("", "is not a recording")]
    [InlineData("hello\n", "is not a recording")]
    [InlineData("{\"format\":\"agent-exec", "is not a recording")]
    [InlineData("[]\n", "is not a recording")]
    [InlineData("{\"format\":\"agent-executor-recording\",\"version\":2}\n", "of version 2, but this program reads version 1")]
    [InlineData("{\"format\":\"agent-executor-recording\"}\n", "of version ")]
    [InlineData(Header + "{\n{}\n", "line 2 of the recording 'test.jsonl' is damaged: the line is not valid JSON")]
    [InlineData(Header + "\n\n{\"kind\":\"model\"}\n{}\n", "line 4 of")]
    [InlineData(Header + "7\n", "line 2 of")]
    [InlineData(Header + "{\"kind\":\"model\",\"hash\":\"00\",\"request\":{},\"response\":{}}\n", "the hash does not match the request")]
    [InlineData(Header + "{\"kind\":\"spell\",\"hash\":\"00\",\"request\":{},\"response\":{}}\n", "line 2 of")]
    public async Task A_file_that_is_not_a_recording_is_reported_with_the_line(string text, string expected)
    {
        var fault = await Assert.ThrowsAsync<FaultException>(() => ReadAsync(text));

        Assert.Equal(FaultCodes.InvalidRecording, fault.Code);
        Assert.Contains(expected, fault.Message, StringComparison.Ordinal);
        Assert.NotNull(fault.Hint);
    }

    [Fact]
    public async Task An_endless_line_is_rejected()
    {
        await using var endless = new EndlessStream(Header);

        var fault = await Assert.ThrowsAsync<FaultException>(() =>
            RecordingReader.ReadAsync(endless, "test.jsonl", TestContext.Current.CancellationToken)
        );

        Assert.Contains("line 2", fault.Message, StringComparison.Ordinal);
        Assert.InRange(endless.Given, RecordingFormat.MaxLineBytes, RecordingFormat.MaxLineBytes + (4 * 1024 * 1024));
    }

    [Fact]
    public async Task A_recording_can_be_read_wherever_it_was_cut_off_after_its_header()
    {
        var bytes = Encoding.UTF8.GetBytes(Header + Line("ä") + Line("b"));
        for (var length = Header.Length; length <= bytes.Length; length++)
        {
            var read = await TestRecording.ReadAsync(bytes[..length]);

            Assert.InRange(read.WholeBytes, Header.Length, length);
        }
    }

    [Fact]
    public async Task A_failed_write_ends_the_recording()
    {
        using var writer = new RecordingWriter(new FullDisk(), "test.jsonl");
        var request = CanonicalRequest.Of(ExchangeKinds.Tool, Engine.Json("{}"));

        var first = await Assert.ThrowsAsync<FaultException>(() =>
            writer.AppendAsync(request, Engine.Json("{}"), TestContext.Current.CancellationToken)
        );
        var second = await Assert.ThrowsAsync<FaultException>(() =>
            writer.AppendAsync(request, Engine.Json("{}"), TestContext.Current.CancellationToken)
        );

        Assert.Equal((FaultCodes.RecordingFailed, FaultCodes.RecordingFailed), (first.Code, second.Code));
        Assert.Contains("no space left", first.Message, StringComparison.Ordinal);
        Assert.Equal(0, writer.Count);
    }

    private static string Line(string text)
    {
        var request = CanonicalRequest.Of(ExchangeKinds.Model, Engine.Json($$"""{"text": "{{text}}"}"""));
        var json = Encoding.UTF8.GetString(request.Json.Span);
        return $$$"""{"kind":"model","hash":"{{{request.Hash}}}","request":{{{json}}},"response":{}}""" + "\n";
    }

    private static Task<RecordedExchanges> ReadAsync(string text) => TestRecording.ReadAsync(Encoding.UTF8.GetBytes(text));

    /// <summary>A header, followed by an endless line.</summary>
    private sealed class EndlessStream(string header) : MemoryStream(Encoding.UTF8.GetBytes(header))
    {
        public long Given { get; private set; }

        public override int Read(Span<byte> buffer)
        {
            var read = base.Read(buffer);
            if (read == 0)
            {
                buffer.Fill((byte)'a');
                Given += buffer.Length;
                return buffer.Length;
            }
            return read;
        }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            ValueTask.FromResult(Read(buffer.Span));
    }

    private sealed class FullDisk : MemoryStream
    {
        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            throw new IOException("no space left");
    }
}
