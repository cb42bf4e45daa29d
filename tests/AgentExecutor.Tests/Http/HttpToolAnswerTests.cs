using System.IO.Compression;
using System.Net;
using System.Text;
using System.Text.Json;
using AgentExecutor.Adapters.Http;
using AgentExecutor.Core;
using AgentExecutor.Core.Agents;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Messages;
using AgentExecutor.Tests.Agents;

namespace AgentExecutor.Tests.Http;

/// <summary>The results that a model receives from HTTP tools.</summary>
public sealed class HttpToolAnswerTests
{
    private const string Said = "Münze: 5 £ für José";

    [Theory]
    [InlineData("text/plain; charset=utf-8", "utf-8")]
    [InlineData("text/plain; charset=\"utf-8\"", "utf-8")]
    [InlineData("text/plain; charset='UTF-8'", "utf-8")]
    [InlineData("text/plain", "utf-8")]
    [InlineData(null, "utf-8")]
    [InlineData("text/plain; charset=iso-8859-1", "iso-8859-1")]
    [InlineData("text/plain; charset=ISO-8859-15", "iso-8859-15")]
    [InlineData("text/plain; charset=windows-1252", "windows-1252")]
    [InlineData("text/plain", "windows-1252")]
    [InlineData("text/plain; charset=utf-16le", "utf-16LE")]
    [InlineData("text/plain; charset=utf-16be", "utf-16BE")]
    [InlineData("text/plain; charset=utf-16", "utf-16LE")]
    [InlineData("text/plain; charset=utf-16", "utf-16BE")]
    [InlineData("text/plain; charset=utf-16", "utf-16LE", true)]
    [InlineData("text/plain; charset=utf-16", "utf-16BE", true)]
    [InlineData("text/plain", "utf-16LE", true)]
    [InlineData("application/json", "utf-8", true)]
    public async Task A_text_in_any_charset_is_read(string? type, string charset, bool isMarked = false)
    {
        var encoding = CodePagesEncodingProvider.Instance.GetEncoding(charset) ?? Encoding.GetEncoding(charset);
        byte[] body = [.. isMarked ? encoding.GetPreamble() : [], .. encoding.GetBytes(Said)];

        Assert.Equal((Said, false), await CallAsync(Answer(body, type)));
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("x-gzip")]
    [InlineData("br")]
    [InlineData("deflate")]
    [InlineData("raw deflate")]
    [InlineData("identity")]
    public async Task A_compressed_text_is_decompressed(string packing) =>
        Assert.Equal(
            (Said, false),
            await CallAsync(Answer(Packed(Encoding.UTF8.GetBytes(Said), packing), "text/plain", packing.Split(' ')[^1]))
        );

    [Theory]
    [InlineData("text/plain; charset=klingon", null, "charset 'klingon' is unknown")]
    [InlineData("text/plain; charset=utf-7", null, "charset 'utf-7' is unknown")]
    [InlineData("text/plain", "zstd", "unsupported encoding 'zstd'")]
    [InlineData("text/plain", "gzip", "cannot be decompressed")]
    [InlineData("text/plain", "br", "cannot be decompressed")]
    [InlineData("image/png", null, "the type image/png and 19 bytes; it is not text")]
    [InlineData("application/pdf", null, "application/pdf")]
    public async Task A_response_that_cannot_be_read_is_an_error_with_the_reason(string type, string? packing, string expected)
    {
        var (text, isError) = await CallAsync(Answer(Encoding.ASCII.GetBytes("not what it says it"), type, packing));

        Assert.True(isError);
        Assert.Contains("was called", text, StringComparison.Ordinal);
        Assert.Contains(expected, text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Bytes_with_zeros_are_not_text() => Assert.True((await CallAsync(Answer([1, 0, 2, 0], null))).IsError);

    [Fact]
    public async Task A_small_response_that_decompresses_to_a_huge_one_is_cut_off()
    {
        var huge = new byte[50_000_000];
        Array.Fill(huge, (byte)'x');

        var (text, isError) = await CallAsync(Answer(Packed(huge, "gzip"), "text/plain", "gzip"));

        Assert.False(isError);
        Assert.StartsWith(new string('x', 1000) + "\n", text, StringComparison.Ordinal);
        Assert.Contains("(the answer is longer than 1000 bytes and was cut off)", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_response_that_is_cut_off_ends_with_a_whole_character()
    {
        var (text, isError) = await CallAsync(Answer(Encoding.UTF8.GetBytes("a" + new string('ü', 2_000)), "text/plain"));

        Assert.False(isError);
        Assert.StartsWith("aüüü", text, StringComparison.Ordinal);
        Assert.DoesNotContain('\uFFFD', text);
        Assert.Contains("(the answer is longer than 1000 bytes and was cut off)", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_redirect_is_reported_with_its_target_instead_of_being_followed()
    {
        var answer = Answer([], null);
        (answer.StatusCode, answer.Headers.Location) = (HttpStatusCode.Found, new Uri("http://elsewhere/"));

        Assert.Contains(
            "302 Found:  (to http://elsewhere/; redirects are not followed)",
            (await CallAsync(answer)).Text,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task A_secret_is_sent_but_never_occurs_in_a_result()
    {
        HttpRequestMessage? sent = null;
        var settings = new HttpToolSettings { AllowedSecrets = "MY_KEY" }.WithSecrets(
            new Dictionary<string, Secret> { ["MY_KEY"] = new("s3cret") }
        );

        var (text, _) = await CallAsync(
            Answer("you sent Bearer s3cret"u8.ToArray(), null),
            settings,
            """{"Authorization": {"env": "MY_KEY", "prefix": "Bearer "}, "X-Plain": "p"}""",
            request => sent = request
        );

        Assert.Equal("Bearer s3cret", sent!.Headers.NonValidated["Authorization"].ToString());
        Assert.Equal("p", sent.Headers.NonValidated["X-Plain"].ToString());
        Assert.Equal("you sent Bearer ***", text);
    }

    [Fact]
    public async Task A_secret_never_occurs_in_an_error()
    {
        var settings = new HttpToolSettings { AllowedSecrets = "MY_KEY" }.WithSecrets(
            new Dictionary<string, Secret> { ["MY_KEY"] = new("s3cret") }
        );
        var answer = Answer("no s3cret"u8.ToArray(), null);
        (answer.StatusCode, answer.ReasonPhrase, answer.Headers.Location) = (
            HttpStatusCode.Found,
            "Not with s3cret",
            new Uri("http://elsewhere/?key=s3cret")
        );

        var (text, isError) = await CallAsync(answer, settings, """{"X": {"env": "MY_KEY"}}""");
        var (charset, _) = await CallAsync(Answer("x"u8.ToArray(), "text/plain; charset=s3cret"), settings, """{"X": {"env": "MY_KEY"}}""");

        Assert.True(isError);
        Assert.Contains("Not with ***: no *** (to http://elsewhere/?key=***", text, StringComparison.Ordinal);
        Assert.Contains("charset '***' is unknown", charset, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_definition_can_set_the_content_type_of_its_requests()
    {
        HttpRequestMessage? sent = null;

        await CallAsync(
            Answer("{}"u8.ToArray(), null),
            headers: """{"Content-Type": "application/vnd.api+json"}""",
            onSent: request => sent = request
        );

        Assert.Equal("application/vnd.api+json", sent!.Content!.Headers.NonValidated["Content-Type"].ToString());
    }

    private static byte[] Packed(byte[] bytes, string packing)
    {
        if (packing == "identity")
        {
            return bytes;
        }
        using var packed = new MemoryStream();
        using (
            Stream packer = packing switch
            {
                "br" => new BrotliStream(packed, CompressionLevel.Fastest, leaveOpen: true),
                "deflate" => new ZLibStream(packed, CompressionLevel.Fastest, leaveOpen: true),
                "raw deflate" => new DeflateStream(packed, CompressionLevel.Fastest, leaveOpen: true),
                _ => new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true),
            }
        )
        {
            packer.Write(bytes);
        }
        return packed.ToArray();
    }

    private static HttpResponseMessage Answer(byte[] body, string? type, string? packing = null)
    {
        var content = new ByteArrayContent(body);
        if (type is not null)
        {
            content.Headers.TryAddWithoutValidation("Content-Type", type);
        }
        if (packing is not null)
        {
            content.Headers.ContentEncoding.Add(packing);
        }
        return new HttpResponseMessage(HttpStatusCode.OK) { Content = content };
    }

    private static async Task<(string Text, bool IsError)> CallAsync(
        HttpResponseMessage answer,
        HttpToolSettings? settings = null,
        string headers = "{}",
        Action<HttpRequestMessage>? onSent = null
    )
    {
        var definition = new ToolDefinition
        {
            Name = "x",
            Runtime = new()
            {
                Type = "http",
                Url = "http://x/",
                Headers = JsonSerializer.Deserialize<Dictionary<string, JsonElement>>(headers),
            },
        };
        using var client = new HttpClient(new Server(answer, onSent));
        var tool = new HttpTool(
            definition,
            (settings ?? new HttpToolSettings()) with
            {
                MaxResponseBytes = 1_000,
            },
            client,
            TimeProvider.System
        );
        var spec = TestAgents.Scripted("a", """[{"tool_calls": [{"name": "x", "args": {}}]}, {"text": "done"}]""") with { Tools = [tool] };
        var outcome = await new Engine().RunAsync(
            AgentGraph.Build(spec, TestAgents.Models, []),
            (AgentState.Messages, MessageUpdate.Append(Message.Human("h", "go")))
        );
        var message = outcome.State.Get<MessageLog>(AgentState.Messages)!.Single(it => it.Type == MessageType.Tool);
        return (message.Text, message.IsError);
    }

    private sealed class Server(HttpResponseMessage answer, Action<HttpRequestMessage>? onSent) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            onSent?.Invoke(request);
            return Task.FromResult(answer);
        }
    }
}
