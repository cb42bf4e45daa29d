using System.Net;
using System.Net.Sockets;
using System.Text;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Api;

/// <summary>CloudEvents in binary mode whose headers are not encoded as the binding requires.</summary>
public sealed class RawHeaderTests(ApiFixture api)
{
    /// <param name="subject">Each character is a byte.</param>
    [Theory]
    [InlineData("caf\u00E9")] // Latin-1
    [InlineData("caf\u00C3\u00A9 \u00E2\u0082\u00AC")] // UTF-8
    [InlineData("caf%C3%A9")] // as the binding requires
    [InlineData("100% sure")]
    [InlineData("5\" disk")]
    public async Task A_header_that_is_not_encoded_is_read(string subject)
    {
        var answer = await PostAsync("ce-subject", Encoding.Latin1.GetBytes(subject), JobRequests.Data(api.Id()));

        Assert.StartsWith("HTTP/1.1 200", answer, StringComparison.Ordinal);
    }

    /// <param name="subject">Each character is a byte.</param>
    [Theory]
    [InlineData("nul %00")]
    [InlineData("control %1F")]
    [InlineData("half a pair \u00ED\u00A0\u00BD and \u0080")] // invalid UTF-8, and a control character in Latin-1
    public async Task A_character_that_no_attribute_may_contain_is_refused_with_the_reason(string subject)
    {
        var answer = await PostAsync("CE-Subject", Encoding.Latin1.GetBytes(subject), JobRequests.Data(api.Id()));

        Assert.StartsWith("HTTP/1.1 400", answer, StringComparison.Ordinal);
        Assert.Contains("\"path\":\"subject\"", answer, StringComparison.Ordinal);
    }

    /// <param name="name">The attribute's header.</param>
    /// <param name="value">Each character is a byte.</param>
    [Theory]
    [InlineData("ce-source", "/M\u00FCnchen")] // Latin-1
    [InlineData("ce-source", "/M\u00C3\u00BCnchen")] // UTF-8
    [InlineData("ce-source", "/M%C3%BCnchen")] // as the binding requires
    [InlineData("ce-dataschema", "https://m\u00FCnchen.example/job")]
    public async Task A_reference_may_contain_letters_beyond_ASCII(string name, string value)
    {
        var answer = await PostAsync(name, Encoding.Latin1.GetBytes(value), JobRequests.Data(api.Id()));

        Assert.StartsWith("HTTP/1.1 200", answer, StringComparison.Ordinal);
    }

    /// <param name="source">Each character is a byte.</param>
    [Theory]
    [InlineData("/M\u00FCnchen 1")]
    [InlineData("/M\u00FCnchen\u00A01")] // a no-break space
    [InlineData("/M\u00FCnchen%0A")]
    [InlineData("/M\u00FCnchen\u0080")]
    public async Task A_reference_with_a_blank_or_a_control_character_is_refused(string source)
    {
        var answer = await PostAsync("ce-source", Encoding.Latin1.GetBytes(source), JobRequests.Data(api.Id()));

        Assert.StartsWith("HTTP/1.1 400", answer, StringComparison.Ordinal);
        Assert.Contains("\"path\":\"source\"", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Any_bytes_in_an_unrelated_header_are_accepted()
    {
        var answer = await PostAsync("X-Sender", [.. "M"u8, 0xFC, .. "ller"u8], JobRequests.Data(api.Id()));

        Assert.StartsWith("HTTP/1.1 200", answer, StringComparison.Ordinal);
    }

    /// <summary>Media types with parameters, in any case.</summary>
    [Theory]
    [InlineData("application/cloudevents+json; charset=UTF-8; profile=x")]
    [InlineData("APPLICATION/CloudEvents+JSON;Charset=\"utf-8\"")]
    [InlineData("application/cloudevents+json; profile=\"a;charset=latin1\"")]
    public async Task A_media_type_may_have_other_parameters(string contentType)
    {
        var reply = await (await api.ServerAsync()).PostAsync("/", JobRequests.Event(api.Id()), contentType);

        reply.AssertStatus(HttpStatusCode.OK);
    }

    /// <summary>
    /// Half a surrogate pair or a NUL is reported as the caller's fault, or accepted, in every place. It is never an internal server error.
    /// </summary>
    [Theory]
    [InlineData("\"job_id\": \"JOB\"", "\"job_id\": \"a\\ud800\"", 400)]
    [InlineData("\"job_id\": \"JOB\"", "\"job_id\": \"a\\u0000\"", 400)]
    [InlineData("\"trace_id\": \"trace-JOB\"", "\"trace_id\": \"\\udc00\"", 400)]
    [InlineData("\"trace_id\": \"trace-JOB\"", "\"trace_id\": \"\\u0000\"", 400)]
    [InlineData("\"id\": \"e1\"", "\"id\": \"\\ud83d\"", 400)]
    [InlineData("\"id\": \"e1\"", "\"id\": \"\\u0000\"", 400)]
    [InlineData("\"source\": \"/tests\"", "\"source\": \"/tests\", \"ext\": \"\\ud83d\"", 400)]
    [InlineData("\"source\": \"/tests\"", "\"source\": \"/tests\", \"e\\ud83d\": \"x\"", 400)]
    [InlineData("\"role\": \"user\"", "\"role\": \"us\\ud83der\"", 0)]
    [InlineData("\"content\": \"hello\"", "\"content\": \"\\ud83d\"", 0)]
    [InlineData("\"content\": \"hello\"", "\"content\": \"hello\", \"\\ud83d\": 1", 0)]
    [InlineData("\"name\": \"echo\"", "\"name\": \"\\ud83d\"", 0)]
    [InlineData("\"id\": \"e\"", "\"id\": \"\\ud83d\"", 0)]
    [InlineData("\"type\": \"orchestrator\"", "\"type\": \"\\ud83d\"", 0)]
    [InlineData("\"provider\": \"scripted\"", "\"provider\": \"\\ud83d\"", 0)]
    [InlineData("\"text\": \"You", "\"text\": \"\\ud83d You", 0)]
    [InlineData("\"model\": \"e\"", "\"model\": \"\\ud83d\"", 0)]
    public async Task Half_a_surrogate_pair_or_a_NUL_causes_no_internal_server_error(string text, string odd, int status)
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        var body = JobRequests.Event(id).Replace(text.Replace("JOB", id, StringComparison.Ordinal), odd, StringComparison.Ordinal);
        Assert.NotEqual(JobRequests.Event(id), body);

        var reply = await server.PostAsync("/", body, JobRequests.Structured);

        Assert.True(status == 0 ? (int)reply.Status is 200 or 400 : (int)reply.Status == status, $"{(int)reply.Status}: {reply.Body}");
        Assert.DoesNotContain("\"internal\"", reply.Body, StringComparison.Ordinal);
        Assert.DoesNotContain("node_failed", reply.Body, StringComparison.Ordinal);
    }

    private async Task<string> PostAsync(string name, byte[] value, string body)
    {
        var url = (await api.ServerAsync()).Http.BaseAddress!;
        using var client = new TcpClient();
        await client.ConnectAsync(url.Host, url.Port, Cancel);
        await using var wire = client.GetStream();
        var headers = string.Concat(
            JobRequests.Headers.Where(header => header.Item1 != name).Select(header => $"{header.Item1}: {header.Item2}\r\n")
        );
        var length = Encoding.UTF8.GetByteCount(body);
        byte[] request =
        [
            .. Encoding.ASCII.GetBytes(
                $"POST / HTTP/1.1\r\nHost: {url.Authority}\r\nConnection: close\r\n"
                    + $"Content-Type: application/json\r\nContent-Length: {length}\r\n{headers}{name}: "
            ),
            .. value,
            .. "\r\n\r\n"u8,
            .. Encoding.UTF8.GetBytes(body),
        ];
        await wire.WriteAsync(request, Cancel);
        using var reader = new StreamReader(wire);
        return await reader.ReadToEndAsync(Cancel);
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;
}
