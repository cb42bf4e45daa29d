using System.Text;
using System.Text.Json;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Sessions;

namespace AgentExecutor.Tests.Sessions;

public sealed class RunResultTests
{
    private const int Room = 4_000;

    private static readonly string Long = new('x', 50_000);

    [Theory]
    [InlineData("x")]
    [InlineData("\u00e9")]
    [InlineData("\u20ac")]
    [InlineData("\ud83d\ude00")]
    [InlineData("x\ud83d\ude00")]
    [InlineData("\u0001")]
    [InlineData("\"")]
    public void A_text_is_not_cut_inside_a_character(string unit)
    {
        var text = string.Concat(Enumerable.Repeat(unit, 50_000 / unit.Length));

        var result = Shorten(new { job_id = "j", result = new { output = text, status = "completed" } }).GetProperty("result");

        var cut = result.TextProperty("output")!;
        Assert.InRange(cut.Length, 100, Room);
        Assert.StartsWith(cut, text, StringComparison.Ordinal);
        // No unpaired surrogate.
        Assert.Equal(cut, Encoding.UTF8.GetString(new UTF8Encoding(false, throwOnInvalidBytes: true).GetBytes(cut)));
        Assert.Equal("completed", result.TextProperty("status"));
        Assert.True(result.GetProperty("truncated").GetBoolean());
    }

    [Fact]
    public void Large_fields_are_omitted_and_small_fields_are_kept()
    {
        var result = Shorten(
            new
            {
                job_id = "j",
                result = new
                {
                    output = "short",
                    files = new Dictionary<string, string> { ["/a"] = Long },
                    todos = new[] { "one" },
                    status = "completed",
                    usage = new { model_calls = 3 },
                },
            }
        );

        Assert.Equal(
            """{"job_id":"j","result":{"output":"short","files":null,"todos":["one"],"status":"completed","""
                + "\"usage\":{\"model_calls\":3},\"truncated\":true}}",
            JsonBytes.Compact(result)
        );
    }

    [Fact]
    public void A_failure_keeps_its_code()
    {
        var error = Shorten(
                new
                {
                    job_id = "j",
                    error = new
                    {
                        message = Long,
                        type = "T",
                        code = "model_error",
                        stack_trace = Long,
                    },
                }
            )
            .GetProperty("error");

        Assert.Equal(("T", "model_error"), (error.TextProperty("type"), error.TextProperty("code")));
        Assert.StartsWith(error.TextProperty("message")!, Long, StringComparison.Ordinal);
        Assert.True(error.GetProperty("truncated").GetBoolean());
    }

    [Fact]
    public void Questions_keep_their_ids()
    {
        var shortened = Shorten(
            new { job_id = "j", interrupts = new[] { new { id = "i1", value = Long }, new { id = "i2", value = "short" } } }
        );

        Assert.True(shortened.GetProperty("truncated").GetBoolean());
        Assert.Equal(["i1", "i2"], shortened.GetProperty("interrupts").EnumerateArray().Select(it => it.TextProperty("id")!));
    }

    [Fact]
    public void Very_many_questions_are_omitted()
    {
        var shortened = Shorten(new { job_id = "j", interrupts = Enumerable.Range(0, 5_000).Select(i => new { id = $"i{i}" }).ToArray() });

        Assert.Equal("""{"job_id":"j","interrupts":null,"truncated":true}""", JsonBytes.Compact(shortened));
    }

    /// <summary>The result has at most four times the requested size, regardless of the outcome.</summary>
    private static JsonElement Shorten(object outcome)
    {
        var shortened = RunResult.Shortened(JsonSerializer.SerializeToUtf8Bytes(outcome), Room);
        Assert.InRange(shortened.Length, 1, Room * 2);
        return JsonElement.Parse(shortened);
    }
}
