using System.CommandLine;
using System.CommandLine.Parsing;
using System.Text.Json;
using AgentExecutor.Core.Definitions;

namespace AgentExecutor.Server.Commands;

/// <summary>Rewrites the errors of the command line parser, which name .NET types instead of options and values.</summary>
internal static class ParserErrors
{
    /// <summary>All distinct errors of a command line.</summary>
    public static IEnumerable<string> In(ParseResult result) =>
        result.CommandResult.Command is { Action: null, Subcommands: { Count: > 0 } commands }
            ? [WithoutCommand([.. commands.Select(command => command.Name)], result.UnmatchedTokens is [var written, ..] ? written : null)]
            : result.Errors.Select(Text).Distinct();

    private static string WithoutCommand(IReadOnlyList<string> commands, string? written) =>
        written is null
            ? $"a command is required: use one of {string.Join(", ", commands)}"
            : $"there is no command '{written}'; {Spelling.Hint(written, commands, "commands")}";

    private static string Text(ParseError error) =>
        Symbol(error.SymbolResult) is var (name, type, values, tokens) && IsAboutValue(error.Message)
            ? $"{name} takes {Wanted(type, values)}, not '{string.Join(' ', tokens.Select(token => token.Value))}'"
            : error.Message;

    /// <summary>The parser's message names the .NET type, or the value without its option.</summary>
    private static bool IsAboutValue(string message) =>
        message.Contains("expected type", StringComparison.Ordinal) || message.Contains("Must be one of", StringComparison.Ordinal);

    private static (string Name, Type Type, IReadOnlyList<string> Values, IReadOnlyList<Token> Tokens)? Symbol(SymbolResult? result) =>
        result switch
        {
            OptionResult option => (option.Option.Name, option.Option.ValueType, CompletionsOf(option.Option), option.Tokens),
            ArgumentResult { Parent: OptionResult option } => (
                option.Option.Name,
                option.Option.ValueType,
                CompletionsOf(option.Option),
                option.Tokens
            ),
            ArgumentResult argument => (argument.Argument.Name, argument.Argument.ValueType, [], argument.Tokens),
            _ => null,
        };

    private static List<string> CompletionsOf(Option option) =>
        [.. option.GetCompletions(System.CommandLine.Completions.CompletionContext.Empty).Select(it => it.Label)];

    private static string Wanted(Type type, IReadOnlyList<string> values)
    {
        var plain = Nullable.GetUnderlyingType(type) ?? type.GetElementType() ?? type;
        return plain.IsEnum ? $"one of {string.Join(", ", Enum.GetNames(plain).Select(JsonNamingPolicy.SnakeCaseLower.ConvertName))}"
            : plain == typeof(int) || plain == typeof(long)
                ? type.IsArray ? "whole numbers"
                    : "a whole number"
            : plain == typeof(double) ? "a number"
            : plain == typeof(bool) ? "true or false"
            : values.Count > 0 ? $"one of {string.Join(", ", values)}"
            : "another value";
    }
}
