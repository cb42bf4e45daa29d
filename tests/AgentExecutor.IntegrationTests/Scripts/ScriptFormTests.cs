using System.Text.Json;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.IntegrationTests.Scripts;

/// <summary>Scripts in the forms in which users of other runtimes have them, without the packages that they import.</summary>
public sealed class ScriptFormTests : IAsyncDisposable
{
    private readonly ScriptRuns _runs = new();

    public static TheoryData<string, string, string> Scripts =>
        new()
        {
            {
                """
                    from langchain_core.tools import tool

                    @tool
                    def t(city: str, nights: int = 2) -> str:
                        "Quotes a price."
                        return f"{nights} nights in {city}"
                    """,
                """{"city": "Como"}""",
                "2 nights in Como"
            },
            {
                """
                    from typing import Optional, Type
                    from langchain_core.callbacks import CallbackManagerForToolRun
                    from langchain_core.tools import BaseTool
                    from pydantic import BaseModel, Field

                    class Query(BaseModel):
                        text: str = Field(description="what to look for")
                        limit: int = Field(default=3, ge=1, le=10)

                    class Search(BaseTool):
                        name: str = "t"
                        description: str = "Searches."
                        args_schema: Type[BaseModel] = Query
                        source: str = "shop"

                        def _run(self, text: str, limit: int = 3, run_manager: Optional[CallbackManagerForToolRun] = None) -> str:
                            return f"{self.source}: {limit} x {text}"
                    """,
                """{"text": "lamp"}""",
                "shop: 3 x lamp"
            },
            {
                """
                    from langchain_core.tools import StructuredTool

                    def add(a: float, b: float):
                        "Adds."
                        return {"sum": a + b}

                    t = StructuredTool.from_function(func=add, name="t", description="Adds two numbers.")
                    """,
                """{"a": 1, "b": 2}""",
                """{"sum": 3.0}"""
            },
            {
                """
                    import asyncio
                    from langchain.tools import tool

                    @tool("t")
                    async def slow_echo(text: str) -> str:
                        "Echoes."
                        await asyncio.sleep(0.01)
                        return text.upper()
                    """,
                """{"text": "hi"}""",
                "HI"
            },
            {
                """
                    from langchain_core.tools import tool

                    @tool
                    def other(x: str) -> str:
                        "Another tool of the same file."
                        return x

                    @tool
                    def t(x: str) -> list:
                        "Uses the other tool."
                        return [other.invoke({"x": x}), None, True, 1.5, {"ü": "ß"}]
                    """,
                """{"x": "y"}""",
                """["y", null, true, 1.5, {"ü": "ß"}]"""
            },
            {
                """
                    from __future__ import annotations
                    from dataclasses import dataclass
                    from enum import Enum
                    from typing import Literal, TypedDict
                    from langchain_core.tools import tool

                    class Color(Enum):
                        RED = "red"

                    class Point(TypedDict):
                        x: int

                    @dataclass
                    class Box:
                        width: int
                        height: int = 2

                    @tool
                    def t(color: Color, point: Point, box: Box, mode: Literal["a", "b"], many: list[Box]) -> str:
                        "Takes many kinds of arguments."
                        return f"{color.name} {point['x']} {box.width * box.height} {mode} {many[0].height}"
                    """,
                """{"color": "red", "point": {"x": 1}, "box": {"width": 3}, "mode": "b", "many": [{"width": 1, "height": 7}]}""",
                "RED 1 6 b 7"
            },
            {
                """
                    import json, sys
                    given = json.load(sys.stdin)
                    print("a debugging line", file=sys.stderr)
                    print(json.dumps({"got": given["x"]}))
                    """,
                """{"x": "ü🧳"}""",
                """{"got": "\u00fc\ud83e\uddf3"}"""
            },
            {
                """
                    def t(x: int):
                        return x + 1
                    """,
                """{"x": 1}""",
                "2"
            },
            {
                """
                    from langchain_core.tools import tool

                    @tool(response_format="content_and_artifact")
                    def t():
                        "Returns content and an artifact."
                        return "for the model", {"for": "the program"}
                    """,
                "{}",
                "for the model"
            },
            {
                """
                    from langchain_core.tools import tool

                    @tool
                    def t():
                        "Returns nothing."
                        print("this is log text")
                    """,
                "{}",
                ""
            },
        };

    [Theory]
    [MemberData(nameof(Scripts))]
    public async Task A_script_runs_unchanged(string script, string arguments, string expected)
    {
        var answer = await _runs.CallAsync(script, arguments);

        Assert.Equal((expected, false), (answer.Text, answer.IsError));
    }

    [Fact]
    public async Task The_docstring_and_the_annotations_become_the_declaration()
    {
        var tool = await _runs.DeclareAsync(
            """
            from typing import Annotated, Optional
            from langchain_core.tools import tool, InjectedToolArg
            from langchain_core.runnables import RunnableConfig
            from langgraph.prebuilt import InjectedState

            @tool
            def t(city: str, tags: list[str], nights: int = 2, note: Annotated[Optional[str], "a remark"] = None,
                  state: Annotated[dict, InjectedState] = None, key: Annotated[str, InjectedToolArg] = "k",
                  config: RunnableConfig = None) -> str:
                '''Quotes a price.

                The price is in euros.

                Args:
                    city: where the hotel is,
                        for example Como
                    tags (list): what must be there
                    state: never shown
                '''
                return ''
            """
        );

        Assert.Equal("Quotes a price.\n\nThe price is in euros.", tool.Description);
        Assert.Equal(
            JsonBytes.Compact(
                JsonElement.Parse(
                    """
                    {"type": "object", "properties": {
                      "city": {"type": "string", "description": "where the hotel is, for example Como"},
                      "tags": {"type": "array", "items": {"type": "string"}, "description": "what must be there"},
                      "nights": {"type": "integer", "default": 2},
                      "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "description": "a remark"}},
                     "required": ["city", "tags"]}
                    """
                )
            ),
            JsonBytes.Compact(tool.Parameters)
        );
        Assert.Equal(ToolEffects.Idempotent, tool.Effects);
    }

    [Fact]
    public async Task What_the_definition_says_takes_precedence()
    {
        var tool = await _runs.DeclareAsync(
            "from langchain_core.tools import tool\n@tool\ndef t(x: str):\n    'From the script.'\n    return x",
            more: """
            , "description": "From the definition.", "effects": "once", "parameters": {"type": "object", "properties": {"y": {}}}
            """
        );

        Assert.Equal("From the definition.", tool.Description);
        Assert.True(tool.Parameters.GetProperty("properties").TryGetProperty("y", out _));
        Assert.Equal(ToolEffects.Once, tool.Effects);
    }

    [Theory]
    [InlineData(
        "javascript",
        "module.exports = async ({x}, {idempotencyKey}) => { console.log('log'); return {x, key: idempotencyKey.length > 0}; };"
    )]
    [InlineData("javascript", "export default ({x}) => JSON.stringify({x, key: process.env.AGENT_EXECUTOR_IDEMPOTENCY_KEY.length > 0});")]
    [InlineData(
        "javascript",
        "const given = JSON.parse(require('fs').readFileSync(0)); console.error('log');"
            + " console.log(JSON.stringify({...given, key: process.env.AGENT_EXECUTOR_IDEMPOTENCY_KEY.length > 0}));"
    )]
    [InlineData(
        "shell",
        "read -r given; echo log >&2; echo \"${given%\\}},\\\"key\\\":$([ -n \"$AGENT_EXECUTOR_IDEMPOTENCY_KEY\" ] && echo true)}\""
    )]
    public async Task Other_languages_read_their_arguments_and_write_their_result(string language, string script)
    {
        for (var call = 0; call < 3; call++)
        {
            var answer = await _runs.CallAsync(script, """{"x": "a"}""", $", \"language\": \"{language}\"");

            Assert.Equal(("""{"x":"a","key":true}""", false), (answer.Text, answer.IsError));
        }
    }

    public ValueTask DisposeAsync() => _runs.DisposeAsync();
}
