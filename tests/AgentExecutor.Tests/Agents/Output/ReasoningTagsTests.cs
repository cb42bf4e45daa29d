using System.Text.Json;
using AgentExecutor.Core.Agents.Output;

namespace AgentExecutor.Tests.Agents.Output;

public sealed class ReasoningTagsTests
{
    private static readonly OutputFormat Format = new(JsonElement.Parse("""{"type":"object","required":["city"]}"""), "answer");

    [Theory]
    [InlineData("<think>Which city? {\"city\": 1}</think>{\"city\": \"Bern\"}")]
    [InlineData("  <think>\nHm.\n</think>\n\n{\"city\": \"Bern\"}\n")]
    [InlineData("<thinking>Hm.</thinking>\n```json\n{\"city\": \"Bern\"}\n```")]
    [InlineData("<THINK>Hm.</THINK>{\"city\": \"Bern\"}")]
    [InlineData("I wonder about {\"city\": 1}.\n</think>\n{\"city\": \"Bern\"}")] // the chat template wrote the opening tag
    [InlineData("<think>a</think><think>b</think> {\"city\": \"Bern\"}")]
    [InlineData("<think></think>\n{\"city\": \"Bern\"}")]
    [InlineData("<think>It never ends.\n{\"city\": \"Bern\"}")]
    [InlineData("<think>It never ends.\n```json\n{\"city\": \"Bern\"}\n```\n")]
    [InlineData("{\"city\": \"Bern\", \"note\": \"<think>kept</think>\"}")]
    [InlineData("```json\n{\"city\": \"Bern\", \"note\": \"</think>\"}\n```")]
    public void The_JSON_after_the_reasoning_is_found(string text)
    {
        Assert.Empty(Format.Check(text, out var value));
        Assert.Equal("Bern", value.GetProperty("city").GetString());
    }

    [Theory]
    [InlineData("<think>Nothing came.")]
    [InlineData("<think>Nothing came.</think>")]
    [InlineData("")]
    public void Reasoning_without_an_answer_is_not_an_answer(string text) => Assert.NotEmpty(Format.Check(text, out _));

    [Fact]
    public void Unclosed_reasoning_is_removed_in_linear_time() =>
        Assert.NotEmpty(Format.Check(string.Concat(Enumerable.Repeat("<think></think>", 200_000)) + "<think>", out _));
}
