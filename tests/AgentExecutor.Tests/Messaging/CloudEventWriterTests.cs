using System.Buffers;
using AgentExecutor.Core.Messaging;
using static AgentExecutor.Tests.Messaging.EventText;

namespace AgentExecutor.Tests.Messaging;

public sealed class CloudEventWriterTests
{
    [Theory]
    [InlineData("")]
    [InlineData(
        "\"subject\":\"a \u20AC\",\"time\":\"2018-04-05T17:31:00.1234567+02:00\","
            + "\"datacontenttype\":\"application/json\",\"dataschema\":\"http://x/y\",\"data\":{\"a\": [1.50]}"
    )]
    [InlineData("\"time\":\"2018-04-05T17:31:00Z\",\"flag\":true,\"no\":false,\"number\":-5,\"text\":\"5\"")]
    [InlineData("\"dataschema\":\"https://m\u00FCnchen.example/\u6771\"")]
    [InlineData("\"data\":null")]
    [InlineData("\"datacontenttype\":\"application/xml\",\"data\":\"<a b=\\\"c\\\"/>\"")]
    [InlineData("\"datacontenttype\":\"application/json\",\"data_base64\":\"AP8=\"")]
    public void An_event_is_written_back_as_it_was_read(string members)
    {
        var json = With(members);
        var output = new ArrayBufferWriter<byte>();
        CloudEventWriter.Write(output, CloudEventReader.ReadStructured(Utf8(json)));

        Assert.Equal(json, Text(output.WrittenMemory));
        Assert.Equal(json, Text(CloudEventWriter.Write(CloudEventReader.ReadStructured(Utf8(json)))));
    }

    [Fact]
    public void Both_bindings_transfer_the_same_event_in_binary_mode()
    {
        var read = CloudEventReader.ReadStructured(Utf8(With("\"subject\":\"a b\",\"number\":5,\"data\":[1]")));

        Assert.Equal(
            [
                "ce-specversion: 1.0",
                "ce-id: 1",
                "ce-source: /s",
                "ce-type: t",
                "ce-subject: a%20b",
                "ce-number: 5",
                "Content-Type: application/json",
            ],
            CloudEventWriter.HttpHeaders(read).Select(it => $"{it.Key}: {it.Value}")
        );
        Assert.Equal(KeyValuePair.Create("ce-datacontenttype", "application/json"), CloudEventWriter.NatsHeaders(read)[^1]);
        foreach (var headers in new[] { CloudEventWriter.HttpHeaders(read), CloudEventWriter.NatsHeaders(read) })
        {
            var back = CloudEventReader.ReadBinary(headers, read.Data);
            Assert.Equal((read.Id, "a b", "5", "[1]"), (back.Id, back.Subject, back.Extensions["number"].Text, Text(back.Data)));
        }
    }

    [Fact]
    public void A_result_names_its_job_and_trace()
    {
        var result = ResultEvent.Of(
            "job-1",
            "completed",
            Utf8("""{"job_id":"job-1"}"""),
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "e-1",
            new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero)
        );

        Assert.Equal(
            """{"specversion":"1.0","id":"e-1","source":"agent-executor-service","type":"dev.my-platform.agent.completed","""
                + "\"subject\":\"job-1\",\"time\":\"2026-01-02T03:04:05Z\",\"datacontenttype\":\"application/json\","
                + "\"traceparent\":\"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\",\"data\":{\"job_id\":\"job-1\"}}",
            Text(CloudEventWriter.Write(result))
        );
        Assert.Equal("job-1", CloudEventReader.ReadStructured(CloudEventWriter.Write(result)).Subject);
    }

    [Theory]
    [InlineData("completed")]
    [InlineData("failed")]
    [InlineData("interrupted")]
    [InlineData("cancelled")]
    public void Each_status_has_a_type_and_a_subject(string status)
    {
        Assert.Equal($"dev.my-platform.agent.{status}", ResultEvent.Of("j", status, Utf8("{}"), "", "e", default).Type);
        Assert.Equal($"agent.status.{status}", ResultEvent.SubjectOf(status));
    }

    [Fact]
    public void There_is_no_result_event_for_a_running_run() => Assert.Throws<ArgumentException>(() => ResultEvent.SubjectOf("running"));
}
