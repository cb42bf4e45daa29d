using AgentExecutor.Core;
using AgentExecutor.Core.Messaging;
using static AgentExecutor.Tests.Messaging.EventText;

namespace AgentExecutor.Tests.Messaging;

public sealed class CloudEventReaderTests
{
    private const string SpecExample = """
        {
            "specversion" : "1.0",
            "type" : "com.github.pull_request.opened",
            "source" : "https://github.com/cloudevents/spec/pull",
            "subject" : "123",
            "id" : "A234-1234-1234",
            "time" : "2018-04-05T17:31:00Z",
            "comexampleextension1" : "value",
            "comexampleothervalue" : 5,
            "unsetextension": null,
            "datacontenttype" : "application/xml",
            "data" : "<much wow=\"xml\"/>"
        }
        """;

    [Fact]
    public void Reads_the_example_of_the_specification()
    {
        var read = CloudEventReader.ReadStructured(Utf8(SpecExample));

        Assert.Equal(
            ("A234-1234-1234", "https://github.com/cloudevents/spec/pull", "com.github.pull_request.opened", "123"),
            (read.Id, read.Source, read.Type, read.Subject)
        );
        Assert.Equal(new DateTimeOffset(2018, 4, 5, 17, 31, 0, TimeSpan.Zero), read.Time);
        Assert.Equal(["comexampleextension1", "comexampleothervalue"], read.Extensions.Keys);
        Assert.Equal(AttributeValue.Of(5), read.Extensions["comexampleothervalue"]);
        Assert.Equal((EventDataKind.Text, """<much wow="xml"/>"""), (read.DataKind, Text(read.Data)));
    }

    [Theory]
    [InlineData("", EventDataKind.None, "")]
    [InlineData("\"data\":{\"a\": 1}", EventDataKind.Json, "{\"a\": 1}")]
    [InlineData("\"data\":\"I'm just a string\"", EventDataKind.Json, "\"I'm just a string\"")]
    [InlineData("\"data\":null", EventDataKind.Json, "null")]
    [InlineData("\"data\":[1],\"datacontenttype\":\"application/vnd.x+json; charset=utf-8\"", EventDataKind.Json, "[1]")]
    [InlineData("\"data\":\"<a/>\",\"datacontenttype\":\"application/xml\"", EventDataKind.Text, "<a/>")]
    [InlineData("\"data_base64\":\"aGk=\",\"datacontenttype\":\"application/x\"", EventDataKind.Binary, "hi")]
    [InlineData("\"data_base64\":\"\"", EventDataKind.Binary, "")]
    [InlineData("\"data_base64\":null", EventDataKind.None, "")]
    public void Data_is_read_according_to_its_content_type(string members, EventDataKind kind, string data)
    {
        var read = CloudEventReader.ReadStructured(Utf8(With(members)));

        Assert.Equal((kind, data), (read.DataKind, Text(read.Data)));
    }

    [Theory]
    [InlineData("\"time\":\"2018-04-05T17:31:00.123456789+02:00\"")]
    [InlineData("\"time\":\"1990-12-31t23:59:60z\"")]
    [InlineData("\"time\":\"2018-04-05T17:31:00+23:59\"")]
    [InlineData("\"dataschema\":\"urn:x:y\"")]
    [InlineData("\"dataschema\":\"https://m\u00FCnchen.example/\u6771\"")]
    [InlineData("\"subject\":null,\"time\":null,\"x\":null")]
    [InlineData("\"averyveryverylongextensionname\":true,\"n\":-2147483648,\"empty\":\"\"")]
    [InlineData("\"subject\":\"\\ud83d\\ude00\"")]
    public void A_valid_event_is_accepted(string members) => CloudEventReader.ReadStructured(Utf8(With(members)));

    [Theory]
    [InlineData("\"data\":1,\"data_base64\":\"aGk=\"", "data_base64")]
    [InlineData("\"data_base64\":\"a?\"", "data_base64")]
    [InlineData("\"data_base64\":\"\\ud800\"", "data_base64")]
    [InlineData("\"data_base64\":7", "data_base64")]
    [InlineData("\"data\":{},\"datacontenttype\":\"text/plain\"", "data")]
    [InlineData("\"data\":1,\"data\":2", "data")]
    [InlineData("\"time\":\"yesterday\"", "time")]
    [InlineData("\"time\":\"2018-04-05 17:31:00Z\"", "time")]
    [InlineData("\"time\":\"2018-04-05T17:31:00\"", "time")]
    [InlineData("\"time\":\"2018-02-30T17:31:00Z\"", "time")]
    [InlineData("\"time\":\"2018-04-05T24:00:00Z\"", "time")]
    [InlineData("\"time\":\"2018-04-05T17:31:00.Z\"", "time")]
    [InlineData("\"time\":\"9999-12-31T23:59:60Z\"", "time")]
    [InlineData("\"time\":1", "time")]
    [InlineData("\"dataschema\":\"/relative\"", "dataschema")]
    [InlineData("\"dataschema\":\"/m\u00FCnchen\"", "dataschema")]
    [InlineData("\"dataschema\":\"https://x/m\u00FC n\"", "dataschema")]
    [InlineData("\"dataschema\":\"http://x/#part\"", "dataschema")]
    [InlineData("\"subject\":\"\"", "subject")]
    [InlineData("\"subject\":true", "subject")]
    [InlineData("\"subject\":\"a\\u0007b\"", "subject")]
    [InlineData("\"subject\":\"\\ud800\"", "subject")]
    [InlineData("\"subject\":\"\\uffff\"", "subject")]
    [InlineData("\"datacontenttype\":\"json\"", "datacontenttype")]
    [InlineData("\"Upper\":1", "Upper")]
    [InlineData("\"with_underscore\":1", "with_underscore")]
    [InlineData("\"\":1", "")]
    [InlineData("\"x\":{}", "x")]
    [InlineData("\"x\":[]", "x")]
    [InlineData("\"x\":1.0", "x")]
    [InlineData("\"x\":1e3", "x")]
    [InlineData("\"x\":2147483648", "x")]
    [InlineData("\"x\":1,\"x\":1", "x")]
    [InlineData("\"i\\u0064\":\"again\"", "id")]
    [InlineData("\"specversion\":\"1.0\"", "specversion")]
    public void An_invalid_event_is_rejected_with_the_name_of_the_attribute(string members, string path) =>
        Assert.Equal([path], PathsOf(() => CloudEventReader.ReadStructured(Utf8(With(members)))));

    [Theory]
    [InlineData("specversion", "null")]
    [InlineData("specversion", "\"0.3\"")]
    [InlineData("specversion", "\"1\"")]
    [InlineData("specversion", "1.0")]
    [InlineData("specversion", "\"\"")]
    [InlineData("id", "null")]
    [InlineData("id", "\"\"")]
    [InlineData("id", "7")]
    [InlineData("type", "\"\"")]
    [InlineData("type", "{}")]
    [InlineData("source", "\"\"")]
    [InlineData("source", "\"a b\"")]
    [InlineData("source", "\"1a:b\"")]
    [InlineData("source", "\"%zz\"")]
    [InlineData("source", "\"a#b#c\"")]
    [InlineData("source", "\"/[x]\"")]
    [InlineData("source", "\"http://[::1\"")]
    [InlineData("source", "\"/caf\u00e9 1\"")]
    [InlineData("source", "\"/caf\u00e9<1>\"")]
    [InlineData("source", "\"/a\\u00a0b\"")]
    [InlineData("source", "\"/a\\u2028b\"")]
    [InlineData("source", "\"/a\\u3000b\"")]
    [InlineData("source", "\"/a\\u0085b\"")]
    [InlineData("source", "\"/a\\u007fb\"")]
    [InlineData("source", "\"/a\\u202eb\"")]
    [InlineData("source", "\"/a\\ufffeb\"")]
    [InlineData("source", "\"/a\\ue000b\"")]
    [InlineData("source", "\"m\u00fc:b\"")]
    public void A_required_attribute_without_a_value_is_rejected(string name, string value)
    {
        var members = new Dictionary<string, string>
        {
            ["specversion"] = "\"1.0\"",
            ["id"] = "\"1\"",
            ["source"] = "\"/s\"",
            ["type"] = "\"t\"",
            [name] = value,
        };

        Assert.Equal(
            [name],
            PathsOf(() =>
                CloudEventReader.ReadStructured(Utf8($"{{{string.Join(',', members.Select(it => $"\"{it.Key}\":{it.Value}"))}}}"))
            )
        );
    }

    [Theory]
    [InlineData("https://github.com/cloudevents")]
    [InlineData("mailto:cncf-wg-serverless@lists.cncf.io")]
    [InlineData("urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66")]
    [InlineData("/cloudevents/spec/pull/123")]
    [InlineData("1-555-123-4567")]
    [InlineData("http://user@[::1]:80/a?b=[")]
    [InlineData("#fragment")]
    [InlineData("/M\u00FCnchen")]
    [InlineData("https://m\u00FCnchen.example/\u6771\u4EAC?\U0001F600#\u00E9")]
    public void Any_URI_reference_is_a_valid_source(string source)
    {
        if (source.EndsWith('['))
        {
            Assert.Throws<EventException>(() =>
                CloudEventReader.ReadBinary(Headers("ce-specversion: 1.0", "ce-id: 1", "ce-type: t", $"ce-source: {source}"), default)
            );
            source = source[..^1];
        }
        Assert.Equal(
            source,
            CloudEventReader.ReadBinary(Headers("ce-specversion: 1.0", "ce-id: 1", "ce-type: t", $"ce-source: {source}"), default).Source
        );
    }

    [Theory]
    [InlineData("")]
    [InlineData("nonsense")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("{")]
    [InlineData("{} {}")]
    [InlineData("{\"id\":\"1\",}")]
    [InlineData("{/* no */}")]
    public void A_message_that_is_not_a_JSON_object_is_rejected(string json) =>
        Assert.Contains(PathsOf(() => CloudEventReader.ReadStructured(Utf8(json))), path => json == "{} {}" || path == "");

    [Fact]
    public void Invalid_UTF8_and_deeply_nested_JSON_are_rejected()
    {
        Assert.Equal([""], PathsOf(() => CloudEventReader.ReadStructured((byte[])[.. "{\"id\":\""u8, 0xC0, 0xA0, .. "\"}"u8])));
        Assert.Equal([""], PathsOf(() => CloudEventReader.ReadStructured(Utf8(With($"\"data\":{new string('[', 100_000)}")))));
        Assert.Equal(
            [""],
            PathsOf(() => CloudEventReader.ReadStructured(Utf8(With($"\"data\":{new string('[', 64)}{new string(']', 64)}"))))
        );
        CloudEventReader.ReadStructured(Utf8(With($"\"data\":{new string('[', 63)}{new string(']', 63)}")));
    }

    [Fact]
    public void A_byte_order_mark_is_skipped() =>
        Assert.Equal("[1]", Text(CloudEventReader.ReadStructured(Utf8("\uFEFF" + With("\"data\":[1]"))).Data));

    [Fact]
    public void All_faults_are_reported_together_in_text_that_is_valid_in_a_header()
    {
        var exception = Assert.Throws<EventException>(() =>
            CloudEventReader.ReadStructured(
                Utf8("""{"specversion":"0.3","source":"a b","type":7,"time":"x\r\nEvil: 1","bad_name":1,"data":1,"data_base64":2}""")
            )
        );

        Assert.Equal(FaultCodes.InvalidEvent, exception.Code);
        Assert.Equal(["specversion", "source", "type", "time", "bad_name", "data_base64", "data_base64", "id"], Paths(exception));
        Assert.DoesNotContain(exception.Faults, fault => fault.ToString().Any(char.IsControl));
        Assert.All(exception.Faults, fault => Assert.NotEmpty(fault.Hint));
    }

    [Fact]
    public void The_number_of_reported_faults_is_limited() =>
        Assert.Equal(
            50,
            PathsOf(() =>
                CloudEventReader.ReadStructured(Utf8(With(string.Join(',', Enumerable.Range(0, 100_000).Select(i => $"\"X{i}\":1")))))
            ).Length
        );

    [Fact]
    public void In_a_batch_each_event_has_its_own_faults()
    {
        var entries = CloudEventReader.ReadBatch(
            Utf8($$$"""[{{{With("")}}}, 7, {{{With("\"time\":\"x\",\"y\":[]")}}}, {{{With("\"data\":3")}}}, {}]""")
        );

        Assert.Equal([0, 1, 2, 3, 4], entries.Select(entry => entry.Index));
        Assert.Equal([true, false, false, true, false], entries.Select(entry => entry.Value is not null));
        Assert.Equal(
            [
                ["[1]"],
                ["[2].time", "[2].y"],
                ["[4].specversion", "[4].id", "[4].source", "[4].type"],
            ],
            entries.Where(entry => entry.Fault is not null).Select(entry => Paths(entry.Fault!))
        );
        Assert.Empty(CloudEventReader.ReadBatch(Utf8(" [ ] ")));
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("[{},")]
    [InlineData("[] []")]
    [InlineData("")]
    public void A_batch_must_be_an_array(string json) => Assert.Equal([""], PathsOf(() => CloudEventReader.ReadBatch(Utf8(json))));
}
