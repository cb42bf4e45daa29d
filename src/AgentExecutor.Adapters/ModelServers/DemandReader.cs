using System.Text.RegularExpressions;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>
/// Derives from a server's refusal which form of request it requires, as far as the APIs have this in common. Settings that change the
/// meaning of a request, such as the temperature, are never changed; such a refusal is returned to the caller.
/// </summary>
internal static partial class DemandReader
{
    private const string CodeOfInvalidCallId = "3280";

    /// <summary>Returns true if the refusal concerns the request itself rather than the caller or the time.</summary>
    public static bool ConcernsRequest(ServerError error) => error.Status is 400 or 404 or 406 or 415 or 422 or 500 or 501;

    /// <summary>Returns true if the server does not support a field, or not with the given value.</summary>
    public static bool Refuses(ServerError error, string field) =>
        error.Names(field) && NotSupported().IsMatch($"{error.Kinds} {error.Message}");

    /// <summary>Returns true if the server reports an unknown field without naming it.</summary>
    public static bool RefusesSomeField(ServerError error) => error.Fields.Count == 0 && UnnamedField().IsMatch(error.Message);

    public static bool RefusesStreams(ServerError error) =>
        NoStreaming().IsMatch(error.Message)
        || (
            error.Fields.Any(path => path == "stream" || path.EndsWith(".stream", StringComparison.Ordinal))
            && NotSupported().IsMatch($"{error.Kinds} {error.Message}")
        );

    /// <summary>Returns the demands on messages and on the ids of tool calls.</summary>
    /// <param name="error">The refusal.</param>
    /// <param name="known">The demands that are already known.</param>
    public static ServerDemand OfMessages(ServerError error, ServerDemand known)
    {
        var words = error.Message;
        return OfCallIds(error, known) is var ids and not ServerDemand.None ? ids
            : Alternation().IsMatch(words) ? ServerDemand.AlternatingTurns
            : SystemPosition().IsMatch(words) && !known.HasFlag(ServerDemand.SystemFirst) ? ServerDemand.SystemFirst
            : SystemRefused().IsMatch(words) ? ServerDemand.NoSystem
            : LastTurn().IsMatch(words) ? ServerDemand.AssistantNotLast
            : EmptyContent().IsMatch(words) ? ServerDemand.FilledContent
            : NullContent().IsMatch(words)
                ? (known.HasFlag(ServerDemand.TextContent) ? ServerDemand.FilledContent : ServerDemand.TextContent)
            : ServerDemand.None;
    }

    private static ServerDemand OfCallIds(ServerError error, ServerDemand known)
    {
        var words = string.Join(' ', error.Fields.Append(error.Message));
        if (
            !error.Kinds.Contains(CodeOfInvalidCallId, StringComparison.Ordinal)
            && !(CallId().IsMatch(words) && IdForm().IsMatch(words) && !Unmatched().IsMatch(words))
        )
        {
            return ServerDemand.None;
        }
        return NineCharacters().IsMatch(words) || known.HasFlag(ServerDemand.PlainCallIds)
            ? ServerDemand.NineCharacterCallIds
            : ServerDemand.PlainCallIds;
    }

    private const RegexOptions Options = RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture;

    [GeneratedRegex(
        "not (currently |yet )?support|unsupported|unrecogni[sz]ed|not recogni[sz]ed|unknown|unexpected|extra "
            + "(inputs|fields)|extra_forbidden|extraneous|additional propert|not permitted|not allowed"
            + "|forbidden|not available|not implemented|deprecated|no longer|incompatible|not compatible|invalid "
            + "(param|arg|field|value)|input should be|must be (one of|')|cannot be used|can not be used"
            + "|only allowed|not enabled|disabled|not a valid (param|field|arg)|does not (accept|take|exist)|doesn't "
            + "(accept|take)|use '?max_",
        Options
    )]
    private static partial Regex NotSupported();

    [GeneratedRegex(
        "extra (inputs|fields)|additional propert|(unknown|unrecogni[sz]ed|unexpected|unsupported|invalid) (request "
            + ")?(field|param|arg|key|propert|option|keyword|input)|include_usage",
        Options
    )]
    private static partial Regex UnnamedField();

    [GeneratedRegex(
        @"\bstream(ing|ed)?\b(?!_)[^.]{0,60}(not (currently |yet )?(be )?(support|available|allow|implement|enabled)|unsupported|disabled"
            + @"|must be (set to )?false)"
            + @"|(not support|unsupported|\bno support)[^.]{0,20}\bstream(ing|s)?\b(?!_)|\bno streaming\b"
            + @"|(unknown|unrecogni[sz]ed|unexpected|invalid) (request )?(field|param|arg|key|propert|option"
            + @"|keyword)\w*[^.]{0,20}\bstream\b(?!_)",
        Options
    )]
    private static partial Regex NoStreaming();

    [GeneratedRegex(
        @"tool.?(call|use|result)s?\W{0,3}(\[?\d+\]?)?\W{0,3}_?id\b|tool_call_id|tool_use_id|tool_use\.id|call_id|tool_calls\W+\d+\W+id\b",
        Options
    )]
    private static partial Regex CallId();

    [GeneratedRegex(
        "length|too long|characters|pattern|alphanumeric|a-z|must be|must match|invalid|format|should match|at most|maximum",
        Options
    )]
    private static partial Regex IdForm();

    /// <summary>Matches complaints about a call without its result, or a result without its call.</summary>
    [GeneratedRegex(
        "must be a response|without|not found|no matching|must be followed|missing|unexpected|does not "
            + "(exist|have)|corresponding|duplicate",
        Options
    )]
    private static partial Regex Unmatched();

    [GeneratedRegex("length of 9|9 (alphanumeric )?(char|letter)|nine|exactly 9|a-z, A-Z, 0-9|\\{9\\}", Options)]
    private static partial Regex NineCharacters();

    [GeneratedRegex(
        @"roles? (\S+ ){0,4}alternat|alternat\S* (between )?\W?(user|roles)|(consecutive|multiple|two|2 or more) \W?(user"
            + @"|assistant)\W? (messages|roles|turns)|unexpected role \W?(user|assistant)",
        Options
    )]
    private static partial Regex Alternation();

    [GeneratedRegex(
        @"system\W? (message|role|prompt|instruction)s?.{0,40}(\bfirst\b|beginning|\bbegin|\bstart|once|single)|unexpected role \W?system"
            + @"|(only|at most|more than|multiple|exactly) (one )?system"
            + @"|first message .{0,20}system|expected role to be user.{0,30}system",
        Options
    )]
    private static partial Regex SystemPosition();

    [GeneratedRegex(
        @"system\W? (message|role|prompt|instruction)s? (is|are) (not|un)|(not support|unsupported|unknown|invalid"
            + @"|not allow)\S*.{0,30}\bsystem\b|\bsystem\b.{0,40}(not (be )?(support|allow|permit)|unsupported)"
            + @"|developer instruction is not enabled|only \W?user\W?,? (and|or) \W?(assistant|model)|role.{0,40}(should"
            + @"|must) be .{0,10}user.{0,10}(or|,).{0,6}(assistant|model)",
        Options
    )]
    private static partial Regex SystemRefused();

    [GeneratedRegex(
        @"(last|final) (message|role|turn).{0,80}(user|assistant|tool)|expected last role|must end with|prefill|add_generation_prompt"
            + @"|assistant messages? at the end",
        Options
    )]
    private static partial Regex LastTurn();

    [GeneratedRegex(
        @"content.{0,60}(empty|blank|at least 1 char|non-whitespace)|(empty|blank) (message|content|text)|either \W?content"
            + @"|too_short.{0,40}content|content.{0,60}too_short",
        Options
    )]
    private static partial Regex EmptyContent();

    [GeneratedRegex(
        @"content.{0,80}(none is not|\bnull\b|\bnone\b|valid string|be a string|field required|is required|missing|expected (a )?string)"
            + @"|(missing|required|null|nonetype).{0,40}\bcontent\b"
            + "|invalid type: null, expected a string",
        Options
    )]
    private static partial Regex NullContent();
}
