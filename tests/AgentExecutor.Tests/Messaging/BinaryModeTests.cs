using AgentExecutor.Core.Messaging;
using static AgentExecutor.Tests.Messaging.EventText;

namespace AgentExecutor.Tests.Messaging;

public sealed class BinaryModeTests
{
    [Fact]
    public void Reads_the_example_of_the_HTTP_binding()
    {
        var read = CloudEventReader.ReadBinary(
            Headers(
                "Host: webhook.example.com",
                "CE-SpecVersion: 1.0",
                "ce-type: com.example.someevent",
                "ce-time: 2018-04-05T03:56:24Z",
                "ce-id: 1234-1234-1234",
                "ce-source: /mycontext/subcontext",
                "ce-comexampleothervalue: 5",
                "content-type: application/json; charset=utf-8"
            ),
            Utf8("""{"a":1}""")
        );

        Assert.Equal(
            ("1234-1234-1234", "/mycontext/subcontext", "com.example.someevent", "application/json; charset=utf-8"),
            (read.Id, read.Source, read.Type, read.DataContentType)
        );
        Assert.Equal(new DateTimeOffset(2018, 4, 5, 3, 56, 24, TimeSpan.Zero), read.Time);
        Assert.Equal("5", read.Extensions["comexampleothervalue"].Text);
        Assert.Equal((EventDataKind.Json, """{"a":1}"""), (read.DataKind, Text(read.Data)));
    }

    [Fact]
    public void Over_NATS_the_content_type_is_an_ordinary_attribute()
    {
        Assert.Equal(
            "application/json",
            CloudEventReader.ReadBinary(LeastHeaders("ce-datacontenttype: application/json"), Utf8("1")).DataContentType
        );
        Assert.Equal(
            "application/json",
            CloudEventReader
                .ReadBinary(LeastHeaders("ce-datacontenttype: application/json", "Content-Type: application/json"), Utf8("1"))
                .DataContentType
        );
        Assert.Equal(
            "application/json",
            CloudEventReader
                .ReadBinary(
                    LeastHeaders("CE-DataContentType: application/json", "content-type: Application/JSON; charset=UTF-8; profile=x"),
                    Utf8("1")
                )
                .DataContentType
        );
        Assert.Equal(
            ["datacontenttype"],
            PathsOf(() =>
                CloudEventReader.ReadBinary(LeastHeaders("ce-datacontenttype: application/json", "Content-Type: text/plain"), Utf8("1"))
            )
        );
    }

    [Theory]
    [InlineData("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro \u20AC \U0001F600")]
    [InlineData("%e2%82%ac%41", "\u20ACA")]
    [InlineData("  plain  ", "plain")]
    [InlineData("\"a \\\"b\\\" \\\\ %41\"", "a \"b\" \\ A")]
    [InlineData("100%25", "100%")]
    [InlineData("%2541", "%41")]
    [InlineData("100%", "100%")]
    [InlineData("100% of %41", "100% of A")]
    [InlineData("%4", "%4")]
    [InlineData("%zz%", "%zz%")]
    [InlineData("50%aboard", "50%aboard")]
    [InlineData("%C0%A0", "%C0%A0")]
    [InlineData("%F0%9F", "%F0%9F")]
    [InlineData("Euro \u20AC \U0001F600 100%", "Euro \u20AC \U0001F600 100%")]
    [InlineData("5\" disk", "5\" disk")]
    [InlineData("\"open\\", "\"open\\")]
    public void A_header_is_unquoted_and_decoded_once(string header, string text) =>
        Assert.Equal(text, CloudEventReader.ReadBinary(LeastHeaders($"ce-subject: {header}"), default).Subject);

    [Theory]
    [InlineData("Euro \u20AC \U0001F600", "Euro%20%E2%82%AC%20%F0%9F%98%80")]
    [InlineData("a\"b%c~!", "a%22b%25c~!")]
    public void A_header_is_encoded_as_the_binding_requires(string text, string header)
    {
        var headers = CloudEventWriter.HttpHeaders(
            new CloudEvent
            {
                Id = "1",
                Source = "/s",
                Type = "t",
                Subject = text,
            }
        );

        Assert.Contains(KeyValuePair.Create("ce-subject", header), headers);
        Assert.Equal(text, CloudEventReader.ReadBinary(headers, default).Subject);
    }

    [Theory]
    [InlineData("ce-subject: %00", "subject")]
    [InlineData("ce-subject: a\0b", "subject")]
    [InlineData("ce-subject: C1 control \u0080", "subject")]
    [InlineData("ce-subject: ", "subject")]
    [InlineData("ce-id: 2", "id")]
    [InlineData("ce-ID: 2", "id")]
    [InlineData("ce-my-extension: 2", "my-extension")]
    [InlineData("ce-data: 2", "data")]
    [InlineData("ce-: 2", "")]
    [InlineData("ce-time: x", "time")]
    [InlineData("Content-Type: x", "datacontenttype")]
    [InlineData("ce-datacontenttype: x", "datacontenttype")]
    public void An_invalid_header_is_rejected_with_the_name_of_its_attribute(string header, string path) =>
        Assert.Equal([path], PathsOf(() => CloudEventReader.ReadBinary(LeastHeaders(header), default)));

    [Fact]
    public void All_faults_of_headers_and_body_are_reported_together() =>
        Assert.Equal(
            ["time", "data", "specversion", "id", "source", "type"],
            PathsOf(() => CloudEventReader.ReadBinary(Headers("ce-time: x", "Content-Type: application/json"), Utf8("{")))
        );

    [Theory]
    [InlineData("application/json", "{}", EventDataKind.Json)]
    [InlineData("text/plain", "{}", EventDataKind.Text)]
    [InlineData("application/x", "{}", EventDataKind.Binary)]
    [InlineData(null, "{}", EventDataKind.Json)]
    [InlineData(null, "{", EventDataKind.Binary)]
    [InlineData("application/json", "", EventDataKind.None)]
    public void The_content_type_determines_the_kind_of_the_body(string? contentType, string body, EventDataKind kind) =>
        Assert.Equal(
            kind,
            CloudEventReader
                .ReadBinary(contentType is null ? LeastHeaders() : LeastHeaders($"Content-Type: {contentType}"), Utf8(body))
                .DataKind
        );
}
