using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Runs;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace AgentExecutor.Server.Api;

/// <summary>
/// The pages of the links to questions: plain HTML without scripts. Everything that a model or a person wrote is escaped.
/// </summary>
internal static class QuestionPage
{
    private const string Style = """
        body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:2rem auto;padding:0 1rem}
        pre{background:#f4f4f4;padding:.75rem;overflow:auto;white-space:pre-wrap}
        textarea,input[type=text]{width:100%;box-sizing:border-box;font:inherit}
        button{font:inherit;padding:.4rem 1rem;margin:.25rem .5rem .25rem 0}
        fieldset{border:1px solid #ccc;margin:1rem 0}
        """;

    private static readonly string Policy =
        $"default-src 'none'; style-src 'sha256-{Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(Style)))}'; "
        + "form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

    /// <summary>Responds with the question and a form for the answer.</summary>
    public static Task AskAsync(HttpContext context, InterruptRequest question)
    {
        var value = question.Value;
        var allowed = Texts(value, "allowed");
        var page = new StringBuilder();
        page.Append(CultureInfo.InvariantCulture, $"<h1>{Escape(TextOf(value))}</h1>\n");
        if (value.TextProperty("note") is { } note)
        {
            page.Append(CultureInfo.InvariantCulture, $"<p><strong>{Escape(note)}</strong></p>\n");
        }
        if (value.TextProperty("tool") is { } tool)
        {
            page.Append(CultureInfo.InvariantCulture, $"<p>Tool: <code>{Escape(tool)}</code></p>\n");
        }
        var arguments = value.Property("args");
        if (arguments is { } shown)
        {
            page.Append(CultureInfo.InvariantCulture, $"<pre>{Escape(Indented(shown))}</pre>\n");
        }
        if (question.Deadline is { } deadline)
        {
            page.Append(CultureInfo.InvariantCulture, $"<p>Please answer before {deadline.UtcDateTime:yyyy-MM-dd HH:mm} UTC.</p>\n");
        }
        page.Append("<form method=\"post\">\n");
        AppendDecisions(page, value, allowed, arguments);
        page.Append("</form>\n");
        return WriteAsync(context, StatusCodes.Status200OK, "A question", page.ToString());
    }

    /// <summary>Responds with a message.</summary>
    public static Task SayAsync(HttpContext context, int status, string title, string text) =>
        WriteAsync(context, status, title, $"<h1>{Escape(title)}</h1>\n<p>{Escape(text)}</p>\n");

    private static void AppendDecisions(StringBuilder page, JsonElement value, List<string> allowed, JsonElement? arguments)
    {
        var isFree = allowed.Count == 0 || allowed.Contains("respond");
        if (allowed.Contains("approve") || allowed.Count == 0)
        {
            page.Append("<button name=\"decision\" value=\"approve\">Approve</button>\n");
        }
        if (allowed.Contains("reject"))
        {
            page.Append("<fieldset><label>Reason <input type=\"text\" name=\"message\" maxlength=\"2000\"></label>\n");
            page.Append("<button name=\"decision\" value=\"reject\">Reject</button></fieldset>\n");
        }
        if (allowed.Contains("edit") && arguments is { } shown)
        {
            page.Append("<fieldset><label>Arguments (JSON) <textarea name=\"arguments\" rows=\"8\">\n");
            page.Append(Escape(Indented(shown)));
            page.Append("</textarea></label>\n<button name=\"decision\" value=\"edit\">Use these arguments</button></fieldset>\n");
        }
        foreach (var other in allowed.Where(static it => it is not ("approve" or "edit" or "reject" or "respond")))
        {
            page.Append(CultureInfo.InvariantCulture, $"<button name=\"decision\" value=\"{Escape(other)}\">{Escape(other)}</button>\n");
        }
        if (!isFree)
        {
            return;
        }
        page.Append("<fieldset>\n");
        var options = Texts(value, "options");
        foreach (var option in options)
        {
            page.Append(
                CultureInfo.InvariantCulture,
                $"<p><label><input type=\"radio\" name=\"value\" value=\"{Escape(option)}\"> {Escape(option)}</label></p>\n"
            );
        }
        if (options.Count == 0)
        {
            page.Append("<label>Answer <textarea name=\"value\" rows=\"4\" maxlength=\"100000\"></textarea></label>\n");
        }
        page.Append("<button name=\"decision\" value=\"respond\">Answer</button></fieldset>\n");
    }

    private static string TextOf(JsonElement value) =>
        value.TextProperty("text")
        ?? value.TextProperty("message")
        ?? (value.TextProperty("tool") is { } tool ? $"A question about {tool}" : "A question");

    private static List<string> Texts(JsonElement value, string name) =>
        value.Property(name) is { ValueKind: JsonValueKind.Array } list ? [.. list.EnumerateArray().Select(JsonBytes.Display)] : [];

    private static string Indented(JsonElement json)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, JsonBytes.WriterOptions with { Indented = true }))
        {
            json.WriteTo(writer);
        }
        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    private static string Escape(string text) => HtmlEncoder.Default.Encode(text);

    private static async Task WriteAsync(HttpContext context, int status, string title, string body)
    {
        var headers = context.Response.Headers;
        headers.ContentSecurityPolicy = Policy;
        headers.CacheControl = "no-store";
        headers[HeaderNames.XContentTypeOptions] = "nosniff";
        headers["Referrer-Policy"] = "no-referrer";
        headers["X-Robots-Tag"] = "noindex";
        var html = $"""
            <!doctype html>
            <html lang="en">
            <head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{Escape(title)}</title>
            <style>{Style}</style></head>
            <body>
            {body}</body>
            </html>

            """;
        var bytes = Encoding.UTF8.GetBytes(html);
        context.Response.StatusCode = status;
        context.Response.ContentType = "text/html; charset=utf-8";
        context.Response.ContentLength = bytes.Length;
        await context.Response.BodyWriter.WriteAsync(bytes, context.RequestAborted);
    }
}
