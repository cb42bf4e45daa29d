using System.Net;
using System.Text.Json;
using AgentExecutor.Core.Json;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Waiting;

/// <summary>Questions to people, with real workers, PostgreSQL and NATS.</summary>
public sealed class PeopleProcessTests(PostgresFixture postgres)
{
    [Fact]
    public async Task A_link_shows_the_question_and_answers_it_once()
    {
        await using var fleet = await WaitingFleet.StartAsync(postgres, workers: 1);
        await fleet.Bus.SendAsync(WaitingFleet.Asking("j"));
        var path = PathOf(await QuestionAsync(fleet));

        var shown = (await fleet.SendAsync(HttpMethod.Get, path)).AssertStatus(HttpStatusCode.OK);
        Assert.Equal("text/html; charset=utf-8", shown.ContentHeaders.ContentType!.ToString());
        Assert.Equal("no-store", shown.Headers.CacheControl!.ToString());
        Assert.Equal("no-referrer", Assert.Single(shown.Headers.GetValues("Referrer-Policy")));
        Assert.StartsWith(
            "default-src 'none'",
            Assert.Single(shown.Headers.GetValues("Content-Security-Policy")),
            StringComparison.Ordinal
        );
        Assert.DoesNotContain("<script", shown.Body, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("&lt;script&gt;", shown.Body, StringComparison.Ordinal);
        Assert.Contains("value=\"approve\"", shown.Body, StringComparison.Ordinal);
        Assert.Equal("interrupted", await fleet.Fleet.StatusAsync("j"));
        (await PostAsync(fleet, path)).AssertStatus(HttpStatusCode.BadRequest);
        (await PostAsync(fleet, path, ("decision", "edit"), ("arguments", "[1"))).AssertStatus(HttpStatusCode.BadRequest);

        (await PostAsync(fleet, path, ("decision", "reject"), ("message", "not today"))).AssertStatus(HttpStatusCode.OK);

        Assert.Contains("not today", await fleet.OutputAsync("j"), StringComparison.Ordinal);
        (await PostAsync(fleet, path, ("decision", "approve"))).AssertStatus(HttpStatusCode.Gone);
        Assert.Contains(
            "has been answered",
            (await fleet.SendAsync(HttpMethod.Get, path)).AssertStatus(HttpStatusCode.Gone).Body,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task Forged_and_expired_links_have_clear_pages()
    {
        await using var fleet = await WaitingFleet.StartAsync(postgres, workers: 1);
        await fleet.Bus.SendAsync(WaitingFleet.Asking("j", """{"timeout_seconds": 2, "on_timeout": "approve"}"""));
        var path = PathOf(await QuestionAsync(fleet));
        foreach (
            var forged in (string[])
                [
                    path[..^1] + (path[^1] == 'A' ? 'B' : 'A'),
                    path.Replace("/questions/", "/questions/x", StringComparison.Ordinal),
                    "/questions/x",
                    "/questions/a.1.b",
                ]
        )
        {
            var page = (await fleet.SendAsync(HttpMethod.Get, forged)).AssertStatus(HttpStatusCode.NotFound);
            Assert.Contains("This link is not valid", page.Body, StringComparison.Ordinal);
            (await PostAsync(fleet, forged, ("decision", "approve"))).AssertStatus(HttpStatusCode.NotFound);
        }

        await fleet.OutputAsync("j");

        Assert.Contains(
            "has expired",
            (await fleet.SendAsync(HttpMethod.Get, path)).AssertStatus(HttpStatusCode.Gone).Body,
            StringComparison.Ordinal
        );
        (await PostAsync(fleet, path, ("decision", "approve"))).AssertStatus(HttpStatusCode.Gone);
    }

    [Fact]
    public async Task The_list_of_answers_is_accepted_over_http_again_and_a_different_one_is_a_conflict()
    {
        await using var fleet = await WaitingFleet.StartAsync(postgres, workers: 1);
        await fleet.Bus.SendAsync(WaitingFleet.Asking("j"));
        var id = (await QuestionAsync(fleet)).TextProperty("id");
        string Body(string decision) => $$"""{"answers": [{"interrupt_id": "{{id}}", "decision": "{{decision}}"}]}""";

        (await fleet.PostAsync("/threads/j/resume", Body("dance"))).AssertProblem(HttpStatusCode.BadRequest, "invalid_answer");
        (await fleet.PostAsync("/threads/j/resume", Body("approve"))).AssertStatus(HttpStatusCode.Accepted);
        (await fleet.PostAsync("/threads/j/resume", Body("approve"))).AssertStatus(HttpStatusCode.Accepted);
        (await fleet.PostAsync("/threads/j/resume", Body("reject"))).AssertProblem(HttpStatusCode.Conflict, "answer_conflict");

        Assert.Contains("Wrote", await fleet.OutputAsync("j"), StringComparison.OrdinalIgnoreCase);
        (await fleet.PostAsync("/threads/j/resume", Body("approve"))).AssertStatus(HttpStatusCode.Accepted);
        (await fleet.PostAsync("/threads/j/resume", Body("reject"))).AssertProblem(HttpStatusCode.Conflict, "answer_conflict");
    }

    [Fact]
    public async Task Escalations_and_the_deadline_happen_once_although_all_workers_are_killed()
    {
        await using var fleet = await WaitingFleet.StartAsync(postgres, workers: 2);
        await fleet.Bus.SendAsync(
            WaitingFleet.Asking(
                "j",
                """
                {"recipient": "team", "timeout_seconds": 12, "on_timeout": "approve",
                 "escalate": [{"after_seconds": 1, "recipient": "lead"}, {"after_seconds": 6, "recipient": "boss"}]}
                """
            )
        );
        await fleet.QuestionsAsync(2);
        await fleet.KillAllAsync();
        fleet.Fleet.StartWorker();
        fleet.Fleet.StartWorker();

        Assert.Contains("Wrote", await fleet.OutputAsync("j"), StringComparison.OrdinalIgnoreCase);

        var events = await fleet.QuestionsAsync(3);
        Assert.Equal(["team", "lead", "boss"], events.Select(it => it.GetProperty("interrupts")[0].TextProperty("recipient")));
        Assert.Equal([1, 2], events.Skip(1).Select(it => it.GetProperty("escalation").GetInt32()));
    }

    [Fact]
    public async Task An_answer_by_message_that_arrives_while_no_worker_is_alive_is_used_by_the_next_one()
    {
        await using var fleet = await WaitingFleet.StartAsync(postgres, workers: 1);
        await fleet.Bus.SendAsync(WaitingFleet.Asking("j"));
        var id = (await QuestionAsync(fleet)).TextProperty("id")!;
        await fleet.KillAllAsync();

        await fleet.AnswerAsync("j", id, """{"decision": "respond", "value": "done by hand"}""");
        fleet.Fleet.StartWorker();

        Assert.Equal("done by hand", await fleet.OutputAsync("j"));
    }

    private static async Task<JsonElement> QuestionAsync(WaitingFleet fleet) =>
        Assert.Single((await fleet.QuestionsAsync(1))[0].GetProperty("interrupts").EnumerateArray());

    private static string PathOf(JsonElement question)
    {
        var url = question.TextProperty("url")!;
        Assert.StartsWith($"{WaitingFleet.PublicUrl}/questions/", url, StringComparison.Ordinal);
        return url[WaitingFleet.PublicUrl.Length..];
    }

    /// <summary>Sends the form as a browser does from a page that sends no referrer.</summary>
    private static Task<Reply> PostAsync(WaitingFleet fleet, string path, params (string Name, string Value)[] fields) =>
        fleet.SendAsync(
            HttpMethod.Post,
            path,
            new FormUrlEncodedContent(fields.Select(it => KeyValuePair.Create(it.Name, it.Value))),
            ("Origin", "null"),
            ("Sec-Fetch-Site", "same-origin")
        );
}
