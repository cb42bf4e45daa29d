using System.Text;
using AgentExecutor.Core.Messaging;
using static AgentExecutor.Tests.Messaging.EventText;

namespace AgentExecutor.Tests.Messaging;

/// <summary>
/// Messages with random changes from fixed seeds. Each is either accepted or rejected with the expected exception.
/// </summary>
public sealed class HostileMessageTests
{
    private static readonly string[] Splices =
    [
        "\\ud800",
        "\\udc00",
        "\\u0000",
        "\"",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "null",
        "1e999",
        "-",
        "\\",
        "\u0000",
        "%C0%A0",
        "%",
        "data",
        "data_base64",
        "specversion",
        "\"id\":1,",
        "\"\\u0069d\":2,",
        "\"job_id\":3,",
        "\uFEFF",
        "\uFFFF",
        "true",
        "9999999999",
    ];

    private static readonly string?[] ContentTypes =
    [
        null,
        "",
        "application/json",
        "application/cloudevents+json",
        "application/cloudevents",
        "application/x",
        "a/b; charset=x",
        ";",
        "application/json;charset=\"",
    ];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Randomly_changed_bytes_are_accepted_or_rejected(int seed)
    {
        var random = new Random(seed);
        string[] sources =
        [
            Job,
            JobData,
            $"[{Job},{Job}]",
            With(
                "\"time\":\"2018-04-05T17:31:00.5+01:00\",\"dataschema\":\"http://[::1]/a%20b\","
                    + "\"data_base64\":\"aGk=\",\"n\":-1,\"traceparent\":\"00-\""
            ),
        ];
        var (read, refused) = (0, 0);
        for (var i = 0; i < 3_000; i++)
        {
            var bytes = Mutate(Encoding.UTF8.GetBytes(sources[random.Next(sources.Length)]), random);
            var contentType = ContentTypes[random.Next(ContentTypes.Length)];
            var headers = random.Next(2) == 0 ? LeastHeaders() : [];
            Count(() => CloudEventWriter.Write(CloudEventReader.ReadStructured(bytes)));
            Count(() => CloudEventReader.ReadBatch(bytes));
            Count(() => CloudEventReader.ReadBinary(headers, bytes));
            Count(() => JobRequestReader.ReadMessage(contentType, headers, bytes));
            Count(() => JobRequestReader.ReadBatch(bytes));
        }
        Assert.True(read > 100 && refused > 100, $"{read} read, {refused} refused");

        void Count(Action action)
        {
            try
            {
                action();
                read++;
            }
            catch (EventException exception)
            {
                Assert.NotEmpty(exception.Faults);
                Assert.DoesNotContain(exception.Faults, fault => fault.ToString().Any(char.IsControl));
                refused++;
            }
        }
    }

    [Theory]
    [InlineData(5)]
    [InlineData(6)]
    public void Randomly_changed_headers_are_accepted_or_rejected(int seed)
    {
        var random = new Random(seed);
        string[] names =
        [
            "ce-id",
            "CE-TIME",
            "ce-",
            "ce-subject",
            "ce-dataschema",
            "ce-source",
            "ce-é",
            "ce-data",
            "content-type",
            "ce-datacontenttype",
            "x",
            "",
        ];
        const string Usual = "%\"\\ aF0:/#[]@-+.TZ;";
        for (var i = 0; i < 10_000; i++)
        {
            var value = new string([
                .. Enumerable
                    .Range(0, random.Next(12))
                    .Select(_ => (char)(random.Next(8) == 0 ? random.Next(0x10000) : Usual[random.Next(Usual.Length)])),
            ]);
            try
            {
                var read = CloudEventReader.ReadBinary(
                    [.. LeastHeaders(), KeyValuePair.Create(names[random.Next(names.Length)], value)],
                    default
                );
                var back = CloudEventReader.ReadBinary(CloudEventWriter.NatsHeaders(read), default);
                Assert.Equal(CloudEventWriter.Write(read), CloudEventWriter.Write(back));
            }
            catch (EventException exception)
            {
                Assert.DoesNotContain(exception.Faults, fault => fault.ToString().Any(it => char.IsControl(it)));
            }
        }
    }

    [Fact]
    public void Many_members_out_of_order_at_every_depth_are_read_in_reasonable_time()
    {
        var inner = "{" + string.Join(',', Enumerable.Range(0, 20_000).Select(i => $"\"{(i * 7919) % 20_011}\":{i}")) + "}";
        for (var depth = 0; depth < 55; depth++)
        {
            inner = $$"""{"z":1,"a":{{inner}}}""";
        }

        Assert.Equal("job-1", JobRequestReader.ReadBare(Utf8(JobData.Replace(Definition, inner))).JobId);
    }

    private static byte[] Mutate(byte[] bytes, Random random)
    {
        for (var times = random.Next(4); times > 0; times--)
        {
            var at = random.Next(bytes.Length + 1);
            var end = Math.Min(bytes.Length, at + random.Next(8));
            bytes = random.Next(4) switch
            {
                0 => [.. bytes[..at], (byte)random.Next(256), .. bytes[Math.Min(at + 1, bytes.Length)..]],
                1 => [.. bytes[..at], .. bytes[end..]],
                2 => [.. bytes[..at], .. Encoding.UTF8.GetBytes(Splices[random.Next(Splices.Length)]), .. bytes[at..]],
                _ => random.Next(5) == 0 ? bytes[..at] : [.. bytes[..at], .. bytes[at..end], .. bytes[at..]],
            };
        }
        return bytes;
    }
}
