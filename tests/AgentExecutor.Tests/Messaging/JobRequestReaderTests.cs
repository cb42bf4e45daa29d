using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Messaging;
using static AgentExecutor.Tests.Messaging.EventText;

namespace AgentExecutor.Tests.Messaging;

public sealed class JobRequestReaderTests
{
    private static readonly KeyValuePair<string, string>[] None = [];

    private static readonly KeyValuePair<string, string>[] JobHeaders = Headers(
        "CE-specversion: 1.0",
        "ce-id: e-1",
        "ce-source: /s",
        "ce-type: dev.my-platform.agent.execute"
    );

    public static TheoryData<string, string?, string> Modes =>
        new()
        {
            { "structured", "application/cloudevents+json; charset=UTF-8", Job },
            { "structured", "application/cloudevents", Job },
            { "structured, over NATS without headers", null, Job },
            { "structured, sent as plain JSON", "application/json", Job },
            { "binary", "application/json", JobData },
            { "binary", null, JobData },
            { "bare", "application/json", JobData },
            { "bare", null, JobData },
            { "bare", " ", JobData },
        };

    [Theory]
    [MemberData(nameof(Modes))]
    public void Every_mode_transfers_the_same_request(string mode, string? contentType, string body)
    {
        var read = JobRequestReader.ReadMessage(contentType, mode == "binary" ? JobHeaders : None, Utf8(body));

        Assert.Equal(("job-1", "t", mode == "bare" ? null : "e-1"), (read.JobId, read.TraceId, read.EventId));
        Assert.Equal((Definition, """{"messages":[{"role":"user","content":"hi"}]}"""), (Text(read.Definition), Text(read.Input)));
        Assert.Equal(TraceParent.Derive("t", "job-1"), read.TraceParent);
        Assert.Equal(JobRequestReader.ReadBare(Utf8(JobData)).RequestHash, read.RequestHash);
    }

    [Fact]
    public void The_content_type_is_found_among_the_headers() =>
        Assert.Equal("e-1", JobRequestReader.ReadMessage(null, Headers("content-type: application/cloudevents+json"), Utf8(Job)).EventId);

    [Fact]
    public void A_structured_event_can_repeat_its_attributes_as_headers() =>
        Assert.Equal("e-1", JobRequestReader.ReadMessage("application/cloudevents+json", LeastHeaders(), Utf8(Job)).EventId);

    [Fact]
    public void Base64_data_is_accepted_if_it_is_JSON() =>
        Assert.Equal(
            "job-1",
            JobRequestReader
                .Read(
                    CloudEventReader.ReadStructured(
                        Utf8(
                            $$"""
                            {"specversion":"1.0","type":"{{EventTypes.Execute}}","source":"/s","id":"1",
                             "data_base64":"{{Convert.ToBase64String(Utf8(JobData).Span)}}"}
                            """
                        )
                    )
                )
                .JobId
        );

    [Fact]
    public void The_trace_and_the_extensions_of_the_envelope_are_kept()
    {
        const string Sent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        var read = JobRequestReader.ReadMessage(
            null,
            None,
            Utf8(Job.Replace("\"id\":", $"\"traceparent\":\"{Sent}\",\"tracestate\":\"a=b\",\"tenant\":7,\"id\":"))
        );

        Assert.Equal(Sent, read.TraceParent);
        Assert.Equal(["tenant", "traceparent", "tracestate"], read.Extensions.Keys);
    }

    [Theory]
    [InlineData("text/plain")]
    [InlineData("application/x-www-form-urlencoded")]
    [InlineData("application/cloudevents+avro")]
    [InlineData("application/cloudevents-batch+json")]
    [InlineData("application/cloudevents+json; charset=utf-16")]
    [InlineData("application/json;charset=\"iso-8859-1\"")]
    [InlineData("nonsense\r\n")]
    public void Another_content_type_is_rejected_with_a_separate_code(string contentType)
    {
        foreach (var headers in new[] { None, JobHeaders })
        {
            var exception = Assert.Throws<EventException>(() => JobRequestReader.ReadMessage(contentType, headers, Utf8(Job)));

            Assert.Equal((FaultCodes.UnsupportedMediaType, "Content-Type"), (exception.Code, exception.Faults.Single().Path));
            Assert.DoesNotContain(exception.Message, char.IsControl);
        }
    }

    [Theory]
    [InlineData("trace_id", "7", "trace_id")]
    [InlineData("trace_id", "null", "trace_id")]
    [InlineData("trace_id", "\" \\t\"", "trace_id")]
    [InlineData("trace_id", "\"a\\u0000\"", "trace_id")]
    [InlineData("trace_id", "\"\\ud800\"", "trace_id")]
    [InlineData("trace_id", null, "trace_id")]
    [InlineData("job_id", "\"\"", "job_id")]
    [InlineData("job_id", "\"a/b\"", "job_id")]
    [InlineData("job_id", "[\"a\"]", "job_id")]
    [InlineData("job_id", null, "job_id")]
    [InlineData("agent_definition", "{}", "agent_definition")]
    [InlineData("agent_definition", "\"{\\\"a\\\":1}\"", "agent_definition")]
    [InlineData("agent_definition", null, "agent_definition")]
    [InlineData("input_payload", "[1]", "input_payload")]
    [InlineData("input_payload", " { } ", "input_payload")]
    [InlineData("input_payload", "null", "input_payload")]
    [InlineData("input_payload", "{\"a\":[0,{\"b\":1,\"\\u0062\":2}]}", "input_payload.a[1].b")]
    [InlineData("input_payload", "{\"a\":[0,{\"b\":\"\\udc00\"}]}", "input_payload.a[1].b")]
    public void An_invalid_request_is_rejected_with_the_name_of_the_member(string name, string? value, string path)
    {
        var members = new Dictionary<string, string?>
        {
            ["trace_id"] = "\"t\"",
            ["job_id"] = "\"j\"",
            ["agent_definition"] = Definition,
            ["input_payload"] = "{\"a\":1}",
        };
        members[name] = value;
        var data = $"{{{string.Join(',', members.Where(it => it.Value is not null).Select(it => $"\"{it.Key}\":{it.Value}"))}}}";

        Assert.Equal([path], PathsOf(() => JobRequestReader.ReadMessage(null, None, Utf8(data))));
        Assert.Equal([$"data.{path}"], PathsOf(() => JobRequestReader.ReadMessage(null, None, Utf8(Job.Replace(JobData, data)))));
    }

    [Fact]
    public void Faults_of_the_envelope_and_the_data_are_reported_together() =>
        Assert.Equal(
            ["time", "id", "type", "data.job_id", "data.x", "data.trace_id", "data.agent_definition", "data.input_payload"],
            PathsOf(() =>
                JobRequestReader.ReadMessage(
                    "application/cloudevents+json",
                    None,
                    Utf8("""{"specversion":"1.0","type":"other","source":"/s","time":"x","data":{"job_id":7,"x":1,"x":2}}""")
                )
            )
        );

    [Theory]
    [InlineData("\"type\":\"other\"", new[] { "type", "data" })]
    [InlineData("\"type\":\"dev.my-platform.agent.execute\",\"data\":7", new[] { "data" })]
    [InlineData(
        "\"type\":\"dev.my-platform.agent.execute\",\"data\":\"x\",\"datacontenttype\":\"text/plain\"",
        new[] { "datacontenttype" }
    )]
    [InlineData("\"type\":\"dev.my-platform.agent.execute\",\"data_base64\":\"aGk=\"", new[] { "data" })]
    public void An_event_that_does_not_request_a_job_is_rejected(string members, string[] paths) =>
        Assert.Equal(
            paths,
            PathsOf(() =>
                JobRequestReader.Read(
                    CloudEventReader.ReadStructured(Utf8($$$"""{"specversion":"1.0","id":"1","source":"/s",{{{members}}}}"""))
                )
            )
        );

    [Theory]
    [InlineData("", "")]
    [InlineData("{", "")]
    [InlineData("[]", "")]
    [InlineData("{} x", "")]
    public void A_body_that_is_not_a_JSON_object_is_rejected(string body, string path) =>
        Assert.Contains(path, PathsOf(() => JobRequestReader.ReadMessage("application/json", None, Utf8(body))));

    [Fact]
    public void A_batch_contains_a_request_or_faults_for_each_event()
    {
        Assert.True(JobRequestReader.IsBatch("Application/CloudEvents-Batch+JSON; charset=utf-8"));
        var entries = JobRequestReader.ReadBatch(Utf8($$"""[{{Job}},{{Job.Replace("job-1", "a b")}},{{With("")}}]"""));

        Assert.Equal("job-1", entries[0].Value!.JobId);
        Assert.Equal(["[1].data.job_id"], Paths(entries[1].Fault!));
        Assert.Equal(["[2].type", "[2].data"], Paths(entries[2].Fault!));
    }

    [Fact]
    public void Unknown_members_are_ignored() =>
        Assert.Equal("job-1", JobRequestReader.ReadBare(Utf8(JobData.Replace("\"job_id\"", "\"priority\":{\"a\":[1]},\"job_id\""))).JobId);

    [Fact]
    public void The_parts_of_a_request_are_valid_JSON()
    {
        var read = JobRequestReader.ReadMessage(null, None, Utf8(Job));

        Assert.Equal("a", JsonElement.Parse(read.Definition.Span).GetProperty("name").GetString());
    }
}
