using System.Text;
using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Tests.Json;

public sealed class InputJsonTests
{
    [Theory]
    [InlineData("""{"a":"x\ud83d"}""", """{"a":"x\uFFFD"}""")]
    [InlineData("""{"a":"\udce6x"}""", """{"a":"\uFFFDx"}""")]
    [InlineData("""{"\uD83Dkey":1}""", """{"\uFFFDkey":1}""")]
    [InlineData("""{"a":"\ud83d\ud83d\udce6"}""", """{"a":"\uFFFD📦"}""")]
    [InlineData("""{"a":"\ud83d\udce6"}""", """{"a":"📦"}""")]
    [InlineData("""{"a":"\\ud83d"}""", """{"a":"\\ud83d"}""")]
    [InlineData("""{"a":"\\\ud83d"}""", """{"a":"\\\uFFFD"}""")]
    public void An_unpaired_surrogate_is_replaced(string given, string expected) =>
        Assert.True(JsonElement.DeepEquals(JsonElement.Parse(expected), JsonElement.Parse(JsonBytes.Of(InputJson.Parse(given)))));

    [Fact]
    public void Invalid_UTF8_is_replaced() =>
        Assert.Equal("a\uFFFDb", InputJson.Parse((byte[])[(byte)'"', (byte)'a', 0xFF, (byte)'b', (byte)'"']).GetString());

    [Fact]
    public void A_text_with_an_unpaired_surrogate_is_read() => Assert.Equal("\uFFFD", InputJson.Parse("\"\ud83d\"").GetString());

    [Fact]
    public void A_value_is_rejected_only_above_the_maximum_depth()
    {
        Assert.False(InputJson.IsTooDeep(InputJson.Parse(Nested(InputJson.MaxDepth))));
        Assert.ThrowsAny<JsonException>(() => InputJson.Parse(Nested(InputJson.MaxDepth + 1)));
        Assert.True(InputJson.IsTooDeep(StoredJson.Parse(Nested(InputJson.MaxDepth + 1))));
        Assert.True(InputJson.IsTooDeep(Nested(InputJson.MaxDepth + 1)));
        Assert.True(InputJson.IsTooDeep(Nested(100_000)));
        Assert.False(InputJson.IsTooDeep("[not JSON"));
    }

    [Fact]
    public void Documents_are_never_written_more_deeply_nested_than_they_can_be_read()
    {
        Assert.Equal(
            StoredJson.MaxDepth,
            DepthOf(JsonBytes.Element(StoredJson.Parse(Nested(StoredJson.MaxDepth)), static (writer, it) => it.WriteTo(writer)))
        );
        Assert.Throws<InvalidOperationException>(() =>
            JsonBytes.Write(
                StoredJson.Parse(Nested(StoredJson.MaxDepth)),
                static (writer, it) =>
                {
                    writer.WriteStartArray();
                    it.WriteTo(writer);
                    writer.WriteEndArray();
                }
            )
        );
    }

    [Fact]
    public void A_duplicate_property_is_rejected_in_handwritten_JSON_and_accepted_otherwise()
    {
        Assert.ThrowsAny<JsonException>(() => InputJson.Parse("""{"a":1,"a":2}""", isStrict: true));
        Assert.Equal(2, InputJson.Parse("""{"a":1,"a":2}""").GetProperty("a").GetInt32());
    }

    [Theory]
    [InlineData("abc", 2, "ab")]
    [InlineData("a📦", 2, "a")]
    [InlineData("a📦", 3, "a📦")]
    [InlineData("", 0, "")]
    public void A_text_is_not_cut_inside_a_surrogate_pair(string text, int length, string expected) =>
        Assert.Equal(expected, WellFormedText.Start(text, length).ToString());

    [Fact]
    public void All_JSON_is_parsed_by_InputJson_or_StoredJson()
    {
        var source = Path.Combine(Repository.Root, "src");
        string[] home = ["AgentExecutor.Core/Json/"];
        // These adapters join the halves of surrogate pairs.
        string[] wires = ["AgentExecutor.Adapters/OpenAI/", "AgentExecutor.Adapters/Anthropic/", "AgentExecutor.Adapters/ModelServers/"];
        var parsers = Directory
            .GetFiles(source, "*.cs", SearchOption.AllDirectories)
            .Where(file =>
                File.ReadAllText(file) is var text
                && (
                    text.Contains("JsonElement.Parse(", StringComparison.Ordinal)
                    || text.Contains("JsonDocument.Parse(", StringComparison.Ordinal)
                    || text.Contains("JsonNode.Parse(", StringComparison.Ordinal)
                )
            )
            .Select(file => Path.GetRelativePath(source, file).Replace(Path.DirectorySeparatorChar, '/'))
            .Where(file => !home.Concat(wires).Any(folder => file.StartsWith(folder, StringComparison.Ordinal)));

        Assert.Empty(parsers);
    }

    private static string Nested(int depth) => new StringBuilder().Append('[', depth).Append(']', depth).ToString();

    private static int DepthOf(JsonElement json) => json.GetRawText().Count(it => it == '[');
}
