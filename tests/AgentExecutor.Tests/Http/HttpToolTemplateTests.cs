using System.Net;
using AgentExecutor.Adapters.Http;
using AgentExecutor.Core;

namespace AgentExecutor.Tests.Http;

/// <summary>The requests that are made from the templates of a tool.</summary>
public sealed class HttpToolTemplateTests
{
    [Theory]
    [InlineData("""{"id": "42"}""", "https://h/users/42/x")]
    [InlineData("""{"id": 42}""", "https://h/users/42/x")]
    [InlineData("""{"id": "a/b?c#d e%"}""", "https://h/users/a%2Fb%3Fc%23d%20e%25/x")]
    [InlineData("""{"id": "Zürich"}""", "https://h/users/Z%C3%BCrich/x")]
    [InlineData("""{"id": ["red", "green"]}""", "https://h/users/red%2Cgreen/x")]
    [InlineData("""{"id": "~a-b_c.d"}""", "https://h/users/~a-b_c.d/x")]
    public async Task An_argument_is_percent_encoded_in_the_path(string arguments, string expected)
    {
        var tool = CalledTool.Answering();

        var (text, isError) = await tool.CallAsync(
            CalledTool.Define("""{"url": "https://h/users/{id}/x", "method": "GET"}""", """{"type": "object"}"""),
            arguments
        );

        Assert.Equal(("ok", false), (text, isError));
        Assert.Equal(expected, tool.Request.RequestUri!.AbsoluteUri);
    }

    [Theory]
    [InlineData("""{"id": ".."}""", "must not be '..'")]
    [InlineData("""{"id": "."}""", "must not be '.'")]
    [InlineData("""{"id": ""}""", "must not be empty")]
    [InlineData("""{"id": null}""", "must not be empty")]
    [InlineData("{}", "must not be empty")]
    public async Task An_argument_cannot_change_the_path_around_it(string arguments, string expected)
    {
        var tool = CalledTool.Answering();

        var (text, isError) = await tool.CallAsync(
            CalledTool.Define("""{"url": "https://h/users/{id}", "method": "DELETE"}""", """{"type": "object"}"""),
            arguments
        );

        Assert.True(isError);
        Assert.Contains(expected, text, StringComparison.Ordinal);
        Assert.Empty(tool.Sent);
    }

    [Fact]
    public async Task Arguments_that_are_used_elsewhere_are_not_in_the_body()
    {
        var tool = CalledTool.Answering();

        await tool.CallAsync(
            CalledTool.Define(
                """
                {"url": "https://h/{kind}/new?fixed=1&q={q}", "query": {"page": "{page}", "tag": "{tags}", "limit": 10, "no": "{none}"},
                 "headers": {"X-Trace": "t-{trace}", "X-None": "{none}"}}
                """,
                """{"type": "object"}"""
            ),
            """{"kind": "a", "q": "b c", "page": 3, "tags": ["x", "y"], "trace": "7", "rest": {"deep": true}}"""
        );

        Assert.Equal("https://h/a/new?fixed=1&q=b%20c&page=3&tag=x&tag=y&limit=10", tool.Request.RequestUri!.AbsoluteUri);
        Assert.Equal("t-7", tool.Request.Headers.NonValidated["X-Trace"].ToString());
        Assert.False(tool.Request.Headers.NonValidated.Contains("X-None"));
        Assert.Equal("""{"rest":{"deep":true}}""", tool.Body);
    }

    [Fact]
    public async Task A_body_template_keeps_the_types_of_arguments_and_omits_missing_ones()
    {
        var tool = CalledTool.Answering();

        await tool.CallAsync(
            CalledTool.Define(
                """
                {"url": "https://h/", "body": {"n": "{n}", "list": ["{n}", "{none}", 1], "text": "n is {n}, é", "none": "{none}",
                 "fixed": {"a": null}}}
                """,
                """{"type": "object"}"""
            ),
            """{"n": 5}"""
        );

        Assert.Equal("""{"n":5,"list":[5,1],"text":"n is 5, é","fixed":{"a":null}}""", tool.Body);
        Assert.Equal("application/json", tool.Request.Content!.Headers.ContentType!.MediaType);
    }

    [Fact]
    public async Task A_body_template_can_be_a_form_or_a_text()
    {
        var form = CalledTool.Answering();
        await form.CallAsync(
            CalledTool.Define(
                """{"url": "https://h/", "headers": {"Content-Type": "application/x-www-form-urlencoded"}, "body": {"q": "{q}", "n": 1}}"""
            ),
            """{"q": "a b&c"}"""
        );
        var text = CalledTool.Answering();
        await text.CallAsync(CalledTool.Define("""{"url": "https://h/", "body": "<q>{q}</q> {not a name}"}"""), """{"q": "a"}""");

        Assert.Equal("q=a+b%26c&n=1", form.Body);
        Assert.Equal("application/x-www-form-urlencoded", form.Request.Content!.Headers.NonValidated["Content-Type"].ToString());
        Assert.Equal("<q>a</q> {not a name}", text.Body);
        Assert.Equal("text/plain", text.Request.Content!.Headers.ContentType!.MediaType);
    }

    [Fact]
    public async Task An_argument_cannot_add_a_header()
    {
        var tool = CalledTool.Answering();

        var (text, isError) = await tool.CallAsync(
            CalledTool.Define("""{"url": "https://h/", "headers": {"X-A": "{a}"}}"""),
            """{"a": "1\r\nX-Evil: 2"}"""
        );

        Assert.True(isError);
        Assert.Contains("not allowed in the header X-A", text, StringComparison.Ordinal);
        Assert.Empty(tool.Sent);
    }

    [Fact]
    public async Task A_secret_in_the_query_is_sent_but_never_occurs_in_a_result()
    {
        var tool = new CalledTool(request => new HttpResponseMessage(HttpStatusCode.OK)
        {
            Content = new StringContent($"you asked for {request.RequestUri!.AbsoluteUri} with s3cret value"),
        })
        {
            Settings = new HttpToolSettings { AllowedSecrets = "MY_KEY" }.WithSecrets(
                new Dictionary<string, Secret> { ["MY_KEY"] = new("s3cret value") }
            ),
        };

        var (text, _) = await tool.CallAsync(
            CalledTool.Define("""{"url": "https://h/", "method": "GET", "query": {"key": {"env": "MY_KEY"}}}""")
        );

        Assert.Equal("https://h/?key=s3cret%20value", tool.Request.RequestUri!.AbsoluteUri);
        Assert.Equal("you asked for https://h/?key=*** with ***", text);
    }

    [Fact]
    public async Task A_tool_without_parameters_has_those_of_its_templates()
    {
        var tool = CalledTool.Answering();
        var definition = CalledTool.Define("""{"url": "https://h/{id}", "query": {"q": "{q}"}}""");

        var (text, isError) = await tool.CallAsync(definition, """{"q": "x"}""");

        Assert.True(isError);
        Assert.Contains("lacks 'id'", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"url": "https://{host}/x"}""", "runtime.url")]
    [InlineData("""{"url": "https://h:{port}/x"}""", "runtime.url")]
    [InlineData("""{"url": "{scheme}://h/x"}""", "runtime.url")]
    [InlineData("""{"url": "https://h/{other}"}""", "runtime.url")]
    [InlineData("""{"url": "https://h/", "body": {"a": ["{other}"]}}""", "runtime")]
    [InlineData("""{"url": "https://h/", "query": {"a": "{other}"}}""", "runtime")]
    [InlineData("""{"url": "https://h/", "query": {"a": {"x": 1}}}""", "runtime.query.a")]
    [InlineData("""{"url": "https://h/", "query": {"a": {"env": "KEY"}}}""", "runtime.query.a")]
    [InlineData("""{"url": "https://h/", "headers": {"Authorization": "Bearer {id}"}}""", "runtime.headers.Authorization")]
    [InlineData("""{"url": "https://h/", "headers": {"Idempotency-Key": "x"}}""", "runtime.headers.Idempotency-Key")]
    [InlineData("""{"url": "https://h/", "method": "GET", "body": {}}""", "runtime.body")]
    [InlineData("""{"url": "https://h/", "body": 7}""", "runtime.body")]
    public void A_template_that_cannot_be_filled_is_reported(string runtime, string path)
    {
        using var source = new HttpToolSource(new HttpToolSettings(), TimeProvider.System);

        var faults = source.Check(CalledTool.Define(runtime, """{"type": "object", "properties": {"id": {"type": "string"}}}"""));

        Assert.Equal([path], faults.Select(fault => fault.Path));
    }
}
