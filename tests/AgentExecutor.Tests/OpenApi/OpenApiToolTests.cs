using AgentExecutor.Adapters.Http;
using AgentExecutor.Adapters.OpenApi;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Tools;
using AgentExecutor.Tests.Http;

namespace AgentExecutor.Tests.OpenApi;

/// <summary>Tools from the operations of OpenAPI documents.</summary>
public sealed class OpenApiToolTests
{
    private const string Yaml = """
        openapi: 3.1.0
        info: {title: Books, version: 1.0}
        servers:
          - url: https://{region}.books.example/v1/
            variables: {region: {default: eu}}
        paths:
          /books/{book-id}:
            parameters:
              - {name: book-id, in: path, required: true, schema: {type: string}}
            get:
              operationId: getBook
              summary: Returns a book.
              parameters:
                - {name: fields, in: query, description: Names of fields., schema: {type: array, items: {type: string}}}
                - {name: X-Trace, in: header, schema: {type: string}}
              responses: {"200": {description: OK}}
            put:
              operationId: putBook
              requestBody:
                required: true
                content:
                  application/json:
                    schema: {$ref: "#/components/schemas/Book"}
              responses: {"200": {description: OK}}
          /search:
            post:
              operationId: search
              requestBody:
                content:
                  application/x-www-form-urlencoded:
                    schema: {type: object, properties: {q: {type: string}}}
              responses: {"200": {description: OK}}
            get:
              summary: Has no operation id.
              responses: {"200": {description: OK}}
        components:
          schemas:
            Book:
              type: object
              required: [title]
              properties:
                title: {type: string}
                pages: {type: integer, minimum: 1}
                sequels: {type: array, items: {$ref: "#/components/schemas/Book"}}
        """;

    [Fact]
    public void Each_operation_with_an_id_is_a_tool()
    {
        var tools = Read();

        Assert.Equal(["shop_getBook", "shop_putBook", "shop_search"], tools.Select(tool => tool.Name));
        Assert.Equal("Returns a book.", tools[0].Description);
        Assert.Equal("PUT /books/{book-id}", tools[1].Description);
        var schema = tools[0].Parameters!.Value;
        Assert.Equal(["fields", "X-Trace", "book-id"], schema.GetProperty("properties").EnumerateObject().Select(it => it.Name));
        Assert.Equal("""["book-id"]""", JsonBytes.Compact(schema.GetProperty("required")));
        Assert.Equal(
            """{"type":"array","items":{"type":"string"},"description":"Names of fields."}""",
            JsonBytes.Compact(schema.GetProperty("properties").GetProperty("fields"))
        );
    }

    [Theory]
    [InlineData(
        "getBook",
        """{"book-id": "a/1", "fields": ["x", "y"]}""",
        "GET https://eu.books.example/v1/books/a%2F1?fields=x&fields=y",
        null
    )]
    [InlineData("getBook", """{"book-id": "1"}""", "GET https://eu.books.example/v1/books/1", null)]
    [InlineData(
        "putBook",
        """{"book-id": "1", "body": {"title": "T", "sequels": [{"title": "U"}]}}""",
        "PUT https://eu.books.example/v1/books/1",
        """{"title":"T","sequels":[{"title":"U"}]}"""
    )]
    [InlineData("search", """{"body": {"q": "a b"}}""", "POST https://eu.books.example/v1/search", "q=a+b")]
    [InlineData("search", "{}", "POST https://eu.books.example/v1/search", null)]
    public async Task A_call_sends_what_the_operation_describes(string operation, string arguments, string request, string? body)
    {
        var tool = CalledTool.Answering();

        var (text, isError) = await tool.CallAsync(Read().Single(it => it.Name == $"shop_{operation}"), arguments);

        Assert.Equal(("ok", false), (text, isError));
        Assert.Equal(request, $"{tool.Request.Method} {tool.Request.RequestUri!.AbsoluteUri}");
        Assert.Equal(body, tool.Body);
    }

    [Theory]
    [InlineData("""{"book-id": "1"}""", "lacks 'body'")]
    [InlineData("""{"book-id": "1", "body": {}}""", "$.body lacks 'title'")]
    [InlineData(
        """{"book-id": "1", "body": {"title": "T", "sequels": [{"title": "U", "pages": 0}]}}""",
        "$.body.sequels[0].pages must be at least 1"
    )]
    [InlineData("""{"book-id": "1", "body": {"title": "T"}, "other": 1}""", "$.other is not allowed")]
    public async Task Arguments_are_checked_against_referenced_schemas(string arguments, string expected)
    {
        var tool = CalledTool.Answering();

        var (text, isError) = await tool.CallAsync(Read().Single(it => it.Name == "shop_putBook"), arguments);

        Assert.True(isError);
        Assert.Contains(expected, text, StringComparison.Ordinal);
        Assert.Empty(tool.Sent);
    }

    [Fact]
    public async Task A_catalog_offers_the_operations_with_their_effects()
    {
        await using var catalog = new ToolCatalog([new OpenApiSource(new HttpToolSettings(), TimeProvider.System)]);
        var all = catalog.Create(Definition("""{"operations": ["get*", "search"]}"""));
        var one = catalog.Create(Definition("""{"operation": "getBook"}"""));

        var tools = await Assert.IsAssignableFrom<IToolGroup>(all).ListAsync(false, TestContext.Current.CancellationToken);

        Assert.Equal(
            [("shop_getBook", ToolEffects.None), ("shop_search", ToolEffects.Idempotent)],
            tools!.Select(tool => (tool.Name, tool.Effects))
        );
        Assert.Equal(("shop", ToolEffects.None), (one.Name, one.Effects));
        Assert.False(one is IToolGroup);
    }

    [Fact]
    public void A_definition_can_replace_the_server_and_send_headers()
    {
        var tool = Assert.Single(
            Read("""{"operation": "getBook", "url": "https://own.example/", "headers": {"X-Trace": "fixed"}, "query": {"fields": "all"}}""")
        );

        Assert.Equal("https://own.example/books/{book-id}", tool.Runtime!.Url);
        Assert.Equal("fixed", tool.Runtime.Headers!["X-Trace"].GetString());
        Assert.DoesNotContain("fields", JsonBytes.Compact(tool.Parameters!.Value), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"operation": "getBooks"}""", "runtime.operation", "did you mean 'getBook'?")]
    [InlineData("""{"operations": ["getBook", "nothing*"]}""", "runtime.operations[1]", "known operations")]
    [InlineData("""{"url": "ftp://x"}""", "runtime.url", "write an absolute URL")]
    [InlineData("""{"openapi": "openapi: 3.1.0\ninfo: [broken"}""", "runtime.openapi", "correct the document")]
    [InlineData(
        """{"openapi": {"openapi": "3.0.0", "info": {"title": "t", "version": "1"}, "paths": {}}}""",
        "runtime.openapi",
        "add operationId"
    )]
    [InlineData("""{"openapi": "just text"}""", "runtime.openapi", "correct the document")]
    [InlineData("""{"headers": {"Host": "x"}}""", "runtime.headers.Host", "remove the header")]
    [InlineData(
        """
            {"openapi": {"openapi": "3.0.0", "info": {"title": "t", "version": "1"},
             "paths": {"/x": {"get": {"operationId": "x", "responses": {"200": {"description": "OK"}}}}}}}
            """,
        "runtime.url",
        "set 'url'"
    )]
    public void A_document_that_cannot_be_used_is_reported_with_its_path(string runtime, string path, string hint)
    {
        using var source = new OpenApiSource(new HttpToolSettings(), TimeProvider.System);

        var fault = Assert.Single(source.Check(Definition(runtime)));

        Assert.Equal(path, fault.Path);
        Assert.Contains(hint, fault.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public void A_document_that_refers_to_itself_many_times_is_refused()
    {
        var bomb = "a0: &a0 [x]\n" + string.Join('\n', Enumerable.Range(1, 40).Select(i => $"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]"));

        var exception = Assert.Throws<FormatException>(() => OpenApiText.Read(JsonBytes.Text(bomb)));

        Assert.Contains("200000 values", exception.Message, StringComparison.Ordinal);
    }

    private static IReadOnlyList<ToolDefinition> Read(string runtime = "{}")
    {
        var operations = OpenApiOperations.Read(Definition(runtime));
        Assert.Empty(operations.Faults);
        return operations.Tools;
    }

    private static ToolDefinition Definition(string runtime)
    {
        var read = CalledTool.Define(runtime);
        return read with
        {
            Name = "shop",
            Effects = null,
            Runtime = read.Runtime! with { Openapi = read.Runtime.Openapi ?? JsonBytes.Text(Yaml) },
        };
    }
}
