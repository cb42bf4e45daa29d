using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using AgentExecutor.Core.Messaging;
using FsCheck;
using FsCheck.Fluent;
using static AgentExecutor.Tests.Messaging.EventText;

namespace AgentExecutor.Tests.Messaging;

public sealed class RequestHashTests
{
    [Theory]
    [InlineData("""{"a":1,"b":[2,3]}""", """ { "b" : [ 2 , 3 ] , "a" : 1 } """, true)]
    [InlineData("""{"a":"\u00e9\/\n"}""", "{\"a\":\"\u00e9/\\u000A\"}", true)]
    [InlineData("""{"\u0061":"\"\\"}""", """{"a":"\u0022\u005c"}""", true)]
    [InlineData("""{"a":"\ud83d\ude00"}""", "{\"a\":\"\U0001F600\"}", true)]
    [InlineData("""{"b":{"d":1,"c":{"f":2,"e":3}},"a":0}""", """{"a":0,"b":{"c":{"e":3,"f":2},"d":1}}""", true)]
    [InlineData("""{"a":1.0}""", """{"a":1}""", false)]
    [InlineData("""{"a":[1,2]}""", """{"a":[2,1]}""", false)]
    [InlineData("""{"a":"1"}""", """{"a":1}""", false)]
    [InlineData("""{"a":null}""", """{"b":null}""", false)]
    [InlineData("""{"a":" b"}""", """{"a":"b"}""", false)]
    [InlineData("""{"a":[[],[1]]}""", """{"a":[[1],[]]}""", false)]
    [InlineData("""{"a":"x\",\"b\":\"y"}""", """{"a":"x","b":"y"}""", false)]
    public void The_hash_depends_on_values_but_not_on_layout_order_and_escapes(string one, string other, bool isSame) =>
        Assert.Equal(isSame, HashOf(one, "{\"x\":1}") == HashOf(other, "{\"x\":1}"));

    [Fact]
    public void The_hash_distinguishes_definition_and_input() =>
        Assert.NotEqual(HashOf("{\"a\":1}", "{\"b\":2}"), HashOf("{\"b\":2}", "{\"a\":1}"));

    [Fact]
    public void The_hash_does_not_depend_on_ids() =>
        Assert.Equal(
            JobRequestReader.ReadBare(Utf8(JobData)).RequestHash,
            JobRequestReader.ReadBare(Utf8(JobData.Replace("\"t\"", "\"u\"").Replace("job-1", "job-2"))).RequestHash
        );

    [Fact]
    public void The_hash_is_computed_from_the_canonical_text() =>
        Assert.Equal(
            Convert.ToHexStringLower(
                System.Security.Cryptography.SHA256.HashData(
                    """{"agent_definition":{"a":"\"é","b":1.50},"input_payload":{"c":[true,null]}}"""u8
                )
            ),
            HashOf("""{"b": 1.50, "a": "\u0022\u00e9"}""", """{"c": [true, null]}""")
        );

    [Fact]
    public void Reformatting_does_not_change_the_hash() =>
        Check.QuickThrowOnFailure(
            Prop.ForAll(
                ArbMap.Default.ArbFor<int>(),
                seed =>
                {
                    var json = RandomObject(new Random(seed), 4);
                    return HashOf(json.ToJsonString(), "{\"x\":1}") == HashOf(Reformat(json, new Random(seed + 1)), "{\"x\":1}");
                }
            )
        );

    [Fact]
    public void Any_change_of_a_value_changes_the_hash() =>
        Check.QuickThrowOnFailure(
            Prop.ForAll(
                ArbMap.Default.ArbFor<int>(),
                seed =>
                {
                    var json = RandomObject(new Random(seed), 4);
                    var changed = (JsonObject)json.DeepClone();
                    Change(changed, new Random(seed + 1));
                    return HashOf(json.ToJsonString(), "{\"x\":1}") != HashOf(changed.ToJsonString(), "{\"x\":1}");
                }
            )
        );

    private static string HashOf(string definition, string input) =>
        JobRequestReader
            .ReadBare(Utf8($$"""{"trace_id":"t","job_id":"j","agent_definition":{{definition}},"input_payload":{{input}}}"""))
            .RequestHash;

    private static JsonObject RandomObject(Random random, int depth)
    {
        var result = new JsonObject();
        for (var i = random.Next(1, 6); i > 0; i--)
        {
            result[RandomText(random)] = RandomValue(random, depth - 1);
        }
        return result;
    }

    private static JsonNode? RandomValue(Random random, int depth) =>
        random.Next(depth > 0 ? 7 : 5) switch
        {
            0 => null,
            1 => random.Next(2) == 0,
            2 => random.Next(),
            3 => random.NextDouble(),
            4 => RandomText(random),
            5 => new JsonArray([.. Enumerable.Range(0, random.Next(4)).Select(_ => RandomValue(random, depth - 1))]),
            _ => RandomObject(random, depth),
        };

    private static string RandomText(Random random)
    {
        string[] parts = ["a", "b", "\"", "\\", "/", "\n", "\u0001", "\u007f", "é", "€", "\U0001F600", "\uFFFD", " ", "{", ","];
        return string.Concat(Enumerable.Range(0, random.Next(1, 5)).Select(_ => parts[random.Next(parts.Length)]));
    }

    /// <summary>Changes the order and the spaces, and escapes characters of texts at random.</summary>
    private static string Reformat(JsonNode? node, Random random)
    {
        var space = new string(' ', random.Next(3)) + (random.Next(4) == 0 ? "\r\n\t" : "");
        string Member(KeyValuePair<string, JsonNode?> it) => $"{Escape(it.Key, random)}{space}:{Reformat(it.Value, random)}";
        return space
            + node switch
            {
                JsonObject fields => $"{{{string.Join($"{space},", fields.OrderBy(_ => random.Next()).Select(Member))}{space}}}",
                JsonArray items => $"[{string.Join(',', items.Select(item => Reformat(item, random)))}{space}]",
                JsonValue value when value.GetValueKind() == JsonValueKind.String => Escape(value.GetValue<string>(), random),
                _ => node?.ToJsonString() ?? "null",
            }
            + space;
    }

    private static string Escape(string text, Random random)
    {
        var result = new StringBuilder("\"");
        foreach (var rune in text.EnumerateRunes())
        {
            var mustEscape = rune.Value is < 0x20 or '"' or '\\';
            result.Append(
                mustEscape || random.Next(2) == 0
                    ? string.Concat(rune.ToString().Select(unit => random.Next(2) == 0 ? $"\\u{(int)unit:x4}" : $"\\u{(int)unit:X4}"))
                    : rune.ToString()
            );
        }
        return result.Append('"').ToString();
    }

    private static void Change(JsonObject json, Random random)
    {
        var name = json.ElementAt(random.Next(json.Count)).Key;
        switch (json[name])
        {
            case JsonObject inner when random.Next(3) > 0:
                Change(inner, random);
                break;
            case JsonArray items:
                items.Add(1);
                break;
            case null:
                json[name] = 0;
                break;
            case JsonValue value when value.GetValueKind() == JsonValueKind.String:
                json[name] = value.GetValue<string>() + "!";
                break;
            default:
                json[name] = null;
                break;
        }
    }
}
