using System.Text.Json;
using AgentExecutor.Adapters;
using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Jobs;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Threads;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace AgentExecutor.Server.Api;

/// <summary>
/// The links to questions, <c>/questions/{token}</c>. GET shows the question and changes nothing, because programs that check links open
/// them too. Only POST answers. The token is the credential, so no other one is needed.
/// </summary>
internal sealed class QuestionEndpoints(RunControl control, ThreadStore store, QuestionLinks links, TimeProvider time)
{
    /// <summary>The pattern of the route.</summary>
    public const string Pattern = "/questions/{token}";

    public static void Map(WebApplication app)
    {
        app.MapStoreRead<QuestionEndpoints>(Pattern, static (questions, context) => questions.GuardAsync(context, questions.ShowAsync));
        app.MapJobPost<QuestionEndpoints>(Pattern, static (questions, context) => questions.GuardAsync(context, questions.AnswerAsync));
    }

    private async Task ShowAsync(HttpContext context, QuestionLink link)
    {
        using var deadline = Requests.Deadline(context);
        var question = await FindAsync(link, deadline.Token);
        await (question.Answer is null ? QuestionPage.AskAsync(context, question.Request) : AnsweredAsync(context));
    }

    private async Task AnswerAsync(HttpContext context, QuestionLink link)
    {
        var form = context.Request.HasFormContentType
            ? await context.Request.ReadFormAsync(context.RequestAborted)
            : throw Invalid("the body is not a form");
        using var deadline = Requests.Deadline(context);
        var question = await FindAsync(link, deadline.Token);
        var answer = AnswerOf(form, question.Request.Value);
        try
        {
            await control.AnswerAsync(
                link.ThreadId,
                new Dictionary<string, JsonElement>(StringComparer.Ordinal) { [link.InterruptId] = answer },
                deadline.Token
            );
        }
        catch (FaultException fault) when (fault.Code is FaultCodes.AnswerConflict or FaultCodes.NothingToResume)
        {
            await AnsweredAsync(context);
            return;
        }
        await QuestionPage.SayAsync(context, StatusCodes.Status200OK, "Thank you", "Your answer was stored. You can close this page.");
    }

    /// <summary>Responds to errors with a page, because a person reads them.</summary>
    private async Task GuardAsync(HttpContext context, Func<HttpContext, QuestionLink, Task> respond)
    {
        try
        {
            await respond(context, links.Read((string)context.Request.RouteValues["token"]!, time.GetUtcNow()));
        }
        catch (FaultException fault) when (fault.Code == FaultCodes.LinkExpired)
        {
            await QuestionPage.SayAsync(
                context,
                StatusCodes.Status410Gone,
                "This link has expired",
                "The question can no longer be answered here. Ask the sender for another link."
            );
        }
        catch (FaultException fault) when (fault.Code is FaultCodes.LinkInvalid or FaultCodes.UnknownThread or FaultCodes.UnknownInterrupt)
        {
            await QuestionPage.SayAsync(
                context,
                StatusCodes.Status404NotFound,
                "This link is not valid",
                "Open the link exactly as it was sent to you. It may have been cut off or changed."
            );
        }
        catch (FaultException fault) when (fault.Code == FaultCodes.SigningKeyMissing)
        {
            await QuestionPage.SayAsync(context, StatusCodes.Status404NotFound, "Links are not in use here", $"{fault.Message}.");
        }
        catch (FaultException fault) when (fault.Code == FaultCodes.InvalidAnswer)
        {
            await QuestionPage.SayAsync(
                context,
                StatusCodes.Status400BadRequest,
                "This answer is not possible",
                $"{fault.Message}. Go back and correct it."
            );
        }
        catch (Exception fault) when (fault is InvalidDataException or BadHttpRequestException)
        {
            await QuestionPage.SayAsync(context, StatusCodes.Status400BadRequest, "This answer is not possible", "The form is not valid.");
        }
    }

    private async Task<StoredInterrupt> FindAsync(QuestionLink link, CancellationToken cancellationToken) =>
        (await store.Interrupts.FindAsync(link.ThreadId, [link.InterruptId], cancellationToken)).FirstOrDefault()
        ?? throw new FaultException(FaultCodes.UnknownInterrupt, "the question does not exist any more");

    private static Task AnsweredAsync(HttpContext context) =>
        QuestionPage.SayAsync(
            context,
            StatusCodes.Status410Gone,
            "This question has been answered",
            "The link can be used only once. Nothing was changed."
        );

    private static JsonElement AnswerOf(IFormCollection form, JsonElement question)
    {
        var decision = form["decision"].ToString();
        if (decision is not ("approve" or "edit" or "reject" or "respond"))
        {
            return
                question.Property("allowed") is { ValueKind: JsonValueKind.Array } allowed
                && allowed.EnumerateArray().Any(it => JsonBytes.Display(it) == decision)
                ? JsonBytes.Text(decision)
                : throw Invalid("no decision was made");
        }
        var (arguments, value) = (form["arguments"].ToString(), form["value"].ToString());
        if (decision == "respond" && value.Length == 0)
        {
            throw Invalid("the answer is empty");
        }
        return JsonBytes.Element(
            (decision, message: form["message"].ToString(), value, edited: decision == "edit" ? ReadArguments(arguments) : default),
            static (writer, it) =>
            {
                writer.WriteStartObject();
                writer.WriteString("decision"u8, it.decision);
                if (it.decision == "edit")
                {
                    writer.WritePropertyName("arguments"u8);
                    it.edited.WriteTo(writer);
                }
                if (it.decision == "reject" && it.message.Length > 0)
                {
                    writer.WriteString("message"u8, WellFormedText.Of(it.message));
                }
                if (it.decision == "respond")
                {
                    writer.WriteString("value"u8, WellFormedText.Of(it.value));
                }
                writer.WriteEndObject();
            }
        );
    }

    private static JsonElement ReadArguments(string text)
    {
        try
        {
            var json = InputJson.Parse(text);
            return json.ValueKind == JsonValueKind.Object ? json : throw Invalid("the arguments are not a JSON object");
        }
        catch (JsonException)
        {
            throw Invalid("the arguments are not valid JSON");
        }
    }

    private static FaultException Invalid(string message) => new(FaultCodes.InvalidAnswer, message);
}
