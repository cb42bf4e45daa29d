using AgentExecutor.Core.Recording;

namespace AgentExecutor.Tests.Recording;

public sealed class RequestDiffTests
{
    [Theory]
    [InlineData("""{"a": 1, "b": {"c": [1, "x"], "d": "\u0041"}}""", """{"b":{"d":"A","c":[1,"x"]},"a":1}""", true)]
    [InlineData("""{"a": 1}""", """{"a": 1.0}""", false)]
    [InlineData("""{"a": [1, 2]}""", """{"a": [2, 1]}""", false)]
    [InlineData("""{"a": null}""", """{}""", false)]
    public void The_order_of_members_does_not_distinguish_requests(string one, string other, bool areSame)
    {
        var (first, second) = (Engine.Json(one), Engine.Json(other));

        Assert.Equal(
            areSame,
            CanonicalRequest.Of(ExchangeKinds.Model, first).Hash == CanonicalRequest.Of(ExchangeKinds.Model, second).Hash
        );
        Assert.Equal(areSame, RequestDiff.Lines(first, second).Count == 0);
        Assert.Equal(areSame, RequestDiff.Distance(first, second) == 0);
    }

    [Theory]
    [InlineData("""{"t": 0.2}""", """{"t": 0.7}""", "$.t: recorded 0.2, now 0.7")]
    [InlineData("""{"t": 0.2}""", """{}""", "$.t: only recorded, 0.2")]
    [InlineData("""{}""", """{"t": {"x": 1}}""", """$.t: only now, {"x": 1}""")]
    [InlineData(
        """{"m": [{"text": "Be kind."}]}""",
        """{"m": [{"text": "Be brief."}]}""",
        """$.m[0].text, from character 3: recorded "Be kind.", now "Be brief." """
    )]
    [InlineData("""{"m": [1]}""", """{"m": [1, 2]}""", "$.m[1]: only now, 2")]
    [InlineData("""{"m": "1"}""", """{"m": 1}""", """$.m: recorded "1", now 1""")]
    [InlineData("""{"m": "a\nb"}""", """{"m": "a\tb"}""", """$.m, from character 1: recorded "a\nb", now "a\tb" """)]
    public void A_difference_is_reported_with_its_path(string recorded, string asked, string expected) =>
        Assert.Equal(
            expected.Trim().Replace("{\"x\": 1}", "{\"x\":1}", StringComparison.Ordinal),
            Assert.Single(RequestDiff.Lines(Engine.Json(recorded), Engine.Json(asked)))
        );

    [Fact]
    public void Long_texts_are_shown_from_their_first_difference_and_further_differences_are_counted()
    {
        var before = new string('a', 5_000);
        var line = Assert.Single(
            RequestDiff.Lines(
                Engine.Json($$"""{"t": "{{before}}kind{{before}}"}"""),
                Engine.Json($$"""{"t": "{{before}}brief{{before}}"}""")
            )
        );
        Assert.StartsWith("$.t, from character 5000: recorded \"…aaaaaaaaaaaaaaaaaaaakind", line, StringComparison.Ordinal);
        Assert.InRange(line.Length, 100, 300);

        var many = RequestDiff.Lines(
            Engine.Json($"[{string.Join(',', Enumerable.Range(0, 500))}]"),
            Engine.Json($"[{string.Join(',', Enumerable.Range(1, 500))}]")
        );
        Assert.Equal("and 492 more", many[^1]);
        Assert.Equal(9, many.Count);
    }

    [Fact]
    public void The_nearest_request_has_the_fewest_differences_and_unused_ones_are_preferred()
    {
        var texts = new[]
        {
            """{"agent": "x", "m": ["hello"]}""",
            """{"agent": "y", "m": ["hello", "there"]}""",
            """{"agent": "x", "m": ["hello"], "t": 1, "u": 1}""",
            """{"agent": "x", "m": ["hello"], "t": 2, "u": 1}""",
        };
        var index = new ReplayIndex([.. texts.Select((text, line) => Exchange(text, line + 2))]);
        index.Take(Request(texts[2]));

        Assert.Equal(2, index.Nearest(Request("""{"agent": "x", "m": ["bye"]}"""))!.Line);
        Assert.Equal(3, index.Nearest(Request("""{"agent": "z", "m": ["hello", "there"]}"""))!.Line);
        Assert.Equal(5, index.Nearest(Request("""{"agent": "x", "m": ["hello"], "t": 3, "u": 1}"""))!.Line);
        Assert.Null(index.Nearest(CanonicalRequest.Of(ExchangeKinds.Tool, Engine.Json("{}"))));
    }

    private static CanonicalRequest Request(string json) => CanonicalRequest.Of(ExchangeKinds.Model, Engine.Json(json));

    private static RecordedExchange Exchange(string json, int line)
    {
        var request = Request(json);
        return new RecordedExchange(request.Kind, request.Hash, request.Element, Engine.Json("{}"), line);
    }
}
