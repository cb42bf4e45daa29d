using System.Text;
using AgentExecutor.Adapters.Redis;
using AgentExecutor.Core.Events;

namespace AgentExecutor.Tests.Redis;

public sealed class EventHeadTests
{
    [Theory]
    [InlineData("""{"event_type":"end","data":{},"seq":12,"ts":"2026-11-21T10:00:00+00:00"}""", "end", 12)]
    [InlineData(
        """{"event_type":"on_error","data":{"seq":1,"t":"},\"seq\":3,\"ts\":\"x\"}"},"seq":9223372036854775807,"ts":""}""",
        "on_error",
        long.MaxValue
    )]
    [InlineData("""{"seq":5,"data":{"seq":6},"event_type":"\u0065nd"}""", "end", 5)]
    [InlineData(""" { "event_type" : "other" , "seq" : 7 } """, "other", 7)]
    [InlineData("""{"event_type":"end","seq":1,"data":{"a":{"b":1},"seq":2,"ts":"x"}}""", "end", 1)]
    [InlineData("""{"event_type":"end","seq":1,"ts":"},\"seq\":2,\"ts\":\"x"}""", "end", 1)]
    public void Type_and_number_are_read_in_any_position(string json, string type, long sequence)
    {
        Assert.True(EventHead.TryRead(Encoding.UTF8.GetBytes(json), out var value));
        Assert.Equal((type, sequence), (value.Type, value.Sequence));
        Assert.Equal(json, Encoding.UTF8.GetString(value.Json.Span));
        Assert.Equal(type, EventHead.TypeOf(Encoding.UTF8.GetBytes(json)));
    }

    [Theory]
    [InlineData("""{"event_type":"end","data":{},"seq":12,"ts":"2026-11-21T10:00:00+00:00","attempt":7}""", 7)]
    [InlineData("""{"event_type":"end","data":{},"seq":12,"ts":"2026-11-21T10:00:00+00:00"}""", 0)]
    [InlineData("""{"event_type":"end","data":{},"seq":12,"ts":"2026-11-21T10:00:00+00:00","attempt":"7"}""", 0)]
    [InlineData("""{"event_type":"end","data":{"attempt":3},"attempt":9223372036854775807,"seq":12,"ts":"x"}""", long.MaxValue)]
    public void The_attempt_is_read_in_any_position(string json, long attempt)
    {
        Assert.True(EventHead.TryRead(Encoding.UTF8.GetBytes(json), out var value));
        Assert.Equal((12, attempt), (value.Sequence, value.Attempt));
        Assert.Equal(attempt, EventHead.AttemptOf(Encoding.UTF8.GetBytes(json)));
    }

    [Theory]
    [InlineData("")]
    [InlineData("hello")]
    [InlineData("[]")]
    [InlineData("1")]
    [InlineData("{")]
    [InlineData("""{"event_type":"end","data":{},"seq":0,"ts":"x"}""")]
    [InlineData("""{"event_type":"end","data":{},"seq":-4,"ts":"x"}""")]
    [InlineData("""{"event_type":"end","data":{},"seq":1.5,"ts":"x"}""")]
    [InlineData("""{"event_type":"end","data":{},"seq":"1","ts":"x"}""")]
    [InlineData("""{"event_type":1,"data":{},"seq":1,"ts":"x"}""")]
    [InlineData("""{"event_type":"end","data":{}}""")]
    [InlineData("""{"data":{"event_type":"end","seq":1}}""")]
    [InlineData("""{"seq":1,"event_type":"end"} {}""")]
    [InlineData("{\"event_type\":\"end\",\"data\":{},\n\"seq\":1,\"ts\":\"x\"}")]
    public void Other_data_is_skipped(string json) => Assert.False(EventHead.TryRead(Encoding.UTF8.GetBytes(json), out _));

    [Fact]
    public void Known_types_are_not_allocated_again()
    {
        var json = Encoding.UTF8.GetBytes("""{"event_type":"on_llm_stream","data":{},"seq":1,"ts":"x"}""");
        Assert.True(EventHead.TryRead(json, out var value));
        Assert.Same(EventKinds.LlmStream, value.Type);

        // The runtime allocates as well while it compiles the method for the first time or again, so the smallest of several counts.
        Assert.InRange(Enumerable.Range(0, 50).Min(_ => AllocatedBy(json)), 0, 99);
    }

    private static long AllocatedBy(byte[] json)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        EventHead.TryRead(json, out _);
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    [Fact]
    public void Any_bytes_are_read_or_skipped()
    {
        var random = new Random(7);
        var sample = Encoding.UTF8.GetBytes("""{"event_type":"end","data":{"a":[1,"\ud83d\ude00"]},"seq":12,"ts":"2026"}""");
        for (var round = 0; round < 20_000; round++)
        {
            var bytes = sample[..random.Next(sample.Length + 1)];
            for (var change = random.Next(4); change > 0 && bytes.Length > 0; change--)
            {
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            }
            EventHead.TryRead(bytes, out _);
        }
    }
}
